import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { containerStatusToWire } from '../convert/container.ts';
import { infoToWire } from '../convert/info.ts';

/** How a container stands; NotFound when it is not there. From memory. */
export const containerStatus: UnaryHandler<'ContainerStatus'> = ({ pods }, { containerId, verbose }) => {
  const container = pods.container(filled(containerId, 'containerId'));
  return { status: containerStatusToWire(container), info: verbose ? infoToWire(container.info()) : {} };
};
