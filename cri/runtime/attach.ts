import { filled } from '../convert/check.ts';
import { checkCommandStreams, runningContainer } from '../convert/streams.ts';
import type { UnaryHandler } from '../handler.ts';

/** Gives a URL at which one client can see a container's output and feed its input, within a minute. */
export const attach: UnaryHandler<'Attach'> = async ({ pods, streaming }, request) => {
  filled(request.containerId, 'containerId');
  checkCommandStreams(request);
  const { id } = runningContainer(pods, request.containerId, 'be attached to');
  const { tty, stdin, stdout, stderr } = request;
  return {
    url: await streaming.url({
      kind: 'attach',
      containerId: id,
      request: { tty, stdin, stdout, stderr },
    }),
  };
};
