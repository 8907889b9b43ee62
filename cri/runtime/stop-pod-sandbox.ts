import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { goneIsDone } from '../idempotent.ts';

/** Stops a sandbox and what runs in it. One that is not there is stopped (CRI: "must not return an error if all relevant resources have already been reclaimed"). */
export const stopPodSandbox: UnaryHandler<'StopPodSandbox'> = async ({ pods }, request, { signal }) => {
  const id = filled(request.podSandboxId, 'podSandboxId');
  await goneIsDone(pods.stopSandbox(id, signal));
  return {};
};
