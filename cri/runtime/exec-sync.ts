import type { UnaryHandler } from '../handler.ts';
import { filled, noNul, refuse, whole } from '../convert/check.ts';

/** Runs a command in a container and waits for its end; `timeout` in seconds, 0 for none. */
export const execSync: UnaryHandler<'ExecSync'> = async ({ pods }, request, { signal }) => {
  const id = filled(request.containerId, 'containerId');
  noNul(request.cmd, 'cmd');
  if (request.cmd.length === 0) refuse('cmd', 'is empty');
  const timeoutSeconds = whole(request.timeout, 'timeout', 0);
  return await pods.execSync(id, request.cmd, timeoutSeconds, signal);
};
