import type { UnaryHandler } from '../handler.ts';
import { containerFilterFromWire, containerToWire } from '../convert/container.ts';

/** The containers that match all of the filter. From memory. */
export const listContainers: UnaryHandler<'ListContainers'> = ({ pods }, { filter }) => ({
  containers: pods.listContainers(containerFilterFromWire(filter)).map(containerToWire),
});
