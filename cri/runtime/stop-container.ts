import type { UnaryHandler } from '../handler.ts';
import { filled, whole } from '../convert/check.ts';
import { goneIsDone } from '../idempotent.ts';

/** Stops a container: its stop signal, `timeout` seconds, then the kill. One that is stopped or gone is no error. */
export const stopContainer: UnaryHandler<'StopContainer'> = async ({ pods }, request, { signal }) => {
  const id = filled(request.containerId, 'containerId');
  // A negative grace period asks for less than none.
  const graceSeconds = Math.max(0, whole(request.timeout, 'timeout'));
  await goneIsDone(pods.stopContainer(id, graceSeconds, signal));
  return {};
};
