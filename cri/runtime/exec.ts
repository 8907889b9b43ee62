import { filled, noNul, refuse } from '../convert/check.ts';
import { checkCommandStreams, runningContainer } from '../convert/streams.ts';
import type { UnaryHandler } from '../handler.ts';

/** Gives a URL at which one client can run a command in a container within a minute. */
export const exec: UnaryHandler<'Exec'> = async ({ pods, streaming }, request) => {
  filled(request.containerId, 'containerId');
  noNul(request.cmd, 'cmd');
  if (request.cmd.length === 0) refuse('cmd', 'is empty');
  checkCommandStreams(request);
  const { id } = runningContainer(pods, request.containerId, 'take a command');
  const { cmd: command, tty, stdin, stdout, stderr } = request;
  return {
    url: await streaming.url({
      kind: 'exec',
      containerId: id,
      request: { command, tty, stdin, stdout, stderr },
    }),
  };
};
