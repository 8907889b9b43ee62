import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';

/** Starts a created container. */
export const startContainer: UnaryHandler<'StartContainer'> = async ({ pods }, request, { signal }) => {
  await pods.startContainer(filled(request.containerId, 'containerId'), signal);
  return {};
};
