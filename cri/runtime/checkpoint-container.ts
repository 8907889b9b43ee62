import type { UnaryHandler } from '../handler.ts';
import { filled, noNul, whole } from '../convert/check.ts';

/** Writes a running container's state to an archive; it runs on. FailedPrecondition where criu cannot do that. */
export const checkpointContainer: UnaryHandler<'CheckpointContainer'> = async (
  { pods },
  request,
  { signal },
) => {
  noNul(request, 'request');
  await pods.checkpointContainer(
    filled(request.containerId, 'containerId'),
    filled(request.location, 'location'),
    Math.max(0, whole(request.timeout, 'timeout')),
    signal,
  );
  return {};
};
