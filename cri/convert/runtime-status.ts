import type { HandlerFeatures, HandlerStatus } from '../../pod/pods.ts';
import type { Rooms } from '../handler.ts';
import type * as wire from '../proto/codec.js';

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
  const unnamed = usable
    .filter((handler) => handler.isDefault)
    .map(({ features }) => ({ name: '', features: featuresToWire(features) }));
  return [...unnamed, ...usable.map(({ name, features }) => ({ name, features: featuresToWire(features) }))];
}

/** What the probe of the handler saw; the kubelet asks before it starts pods that need it. */
function featuresToWire(features: HandlerFeatures): wire.Input<wire.RuntimeHandlerFeatures> {
  return { recursiveReadOnlyMounts: features.recursiveReadOnly, userNamespaces: features.userNamespaces };
}

/** Whether some handler gives pods a user namespace, on the node's network as well as on their own. */
export function servesUserNamespaces(handlers: HandlerStatus[]): boolean {
  return handlers.some(({ usable, features }) => usable && features.userNamespaces);
}
