import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { goneIsDone } from '../idempotent.ts';

/** Removes a sandbox and its containers. One that is not there is removed (CRI: "must not return an error if the pod sandbox has already been removed"). */
export const removePodSandbox: UnaryHandler<'RemovePodSandbox'> = async ({ pods }, request, { signal }) => {
  const id = filled(request.podSandboxId, 'podSandboxId');
  await goneIsDone(pods.removeSandbox(id, signal));
  return {};
};
