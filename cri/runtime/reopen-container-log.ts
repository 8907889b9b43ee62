import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';

/** Makes the monitor open the log file anew, after the kubelet has rotated it. */
export const reopenContainerLog: UnaryHandler<'ReopenContainerLog'> = async (
  { pods },
  request,
  { signal },
) => {
  await pods.reopenLog(filled(request.containerId, 'containerId'), signal);
  return {};
};
