import type { HandlerStatus } from '../../pod/pods.ts';
import type { Rooms } from '../handler.ts';
import type * as wire from '../proto/codec.js';

/** What this build offers to pods with any handler; the kubelet asks before it schedules such pods. */
const FEATURES: wire.Input<wire.RuntimeHandlerFeatures> = {
  recursiveReadOnlyMounts: false,
  userNamespaces: false,
};

/** The two conditions that the kubelet requires, each with a reason when it does not hold. */
export function runtimeConditions({ pods, network }: Rooms): wire.Input<wire.RuntimeCondition>[] {
  const handlers = pods.handlers();
  const ready = handlers.some((handler) => handler.isDefault && handler.usable);
  const reasons = handlers
    .filter((handler) => !handler.usable)
    .map(({ name, reason }) => `${name}: ${reason}`);
  const { ready: networkReady, reason, message } = network.status();
  return [
    {
      type: 'RuntimeReady',
      status: ready,
      reason: ready ? '' : 'NoUsableHandler',
      message: ready ? '' : reasons.join('; ') || 'no runtime handler is configured',
    },
    { type: 'NetworkReady', status: networkReady, reason, message },
  ];
}

/** One entry for each usable handler, and one with an empty name for the default. */
export function runtimeHandlers(handlers: HandlerStatus[]): wire.Input<wire.RuntimeHandler>[] {
  const usable = handlers.filter((handler) => handler.usable);
  const unnamed = usable.filter((handler) => handler.isDefault).map(() => ({ name: '', features: FEATURES }));
  return [...unnamed, ...usable.map(({ name }) => ({ name, features: FEATURES }))];
}
