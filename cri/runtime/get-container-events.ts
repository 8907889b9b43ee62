import type { PodEventKind } from '../../pod/pods.ts';
import type { StreamHandler } from '../handler.ts';
import { containerStatusToWire } from '../convert/container.ts';
import { sandboxStatusToWire } from '../convert/sandbox.ts';
import { ContainerEventType } from '../proto/codec.js';

const TYPES: Record<PodEventKind, number> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
};

/**
 * Each change of a sandbox or container from now on, with the state of the whole pod at that moment. Ends with its
 * caller, and when the daemon stops.
 */
export const getContainerEvents: StreamHandler<'GetContainerEvents'> = async function* ({ pods }, _, call) {
  for await (const event of pods.events(AbortSignal.any([call.signal, call.stopping])))
    yield {
      containerId: event.id,
      containerEventType: TYPES[event.kind],
      createdAt: event.atNs,
      podSandboxStatus: sandboxStatusToWire(event.sandbox),
      containersStatuses: event.containers.map(containerStatusToWire),
    };
};
