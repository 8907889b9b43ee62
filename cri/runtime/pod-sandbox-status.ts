import { systemClock } from '../../ground/clock.ts';
import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { containerStatusToWire } from '../convert/container.ts';
import { sandboxStatusToWire } from '../convert/sandbox.ts';
import { infoToWire } from '../convert/info.ts';

/** How a sandbox and its containers stand; NotFound when it is not there. From memory. */
export const podSandboxStatus: UnaryHandler<'PodSandboxStatus'> = ({ pods }, { podSandboxId, verbose }) => {
  const sandbox = pods.sandbox(filled(podSandboxId, 'podSandboxId'));
  return {
    status: sandboxStatusToWire(sandbox),
    containersStatuses: pods.listContainers({ sandboxId: sandbox.id, labels: {} }).map(containerStatusToWire),
    timestamp: systemClock.nowNs(),
    info: verbose ? infoToWire(sandbox.info()) : {},
  };
};
