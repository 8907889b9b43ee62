import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { goneIsDone } from '../idempotent.ts';

/** Removes a container, also one that runs. One that is gone is no error. */
export const removeContainer: UnaryHandler<'RemoveContainer'> = async ({ pods }, request, { signal }) => {
  const id = filled(request.containerId, 'containerId');
  await goneIsDone(pods.removeContainer(id, signal));
  return {};
};
