import type { NodeOptions } from './node.ts';
import { removeAllPods, runPod } from './pods.ts';
import { NodeStreams } from './streams.ts';
import { useNode, type Suite } from './use-node.ts';

/**
 * As `useNode`, with a streaming server whose clients all hang up after each test, before leaks are looked for. The
 * server's own socket, which is opened for the first session, is part of the clean node.
 */
export function useStreams(options: NodeOptions = {}): Suite & { readonly streams: NodeStreams } {
  let streams: NodeStreams | undefined;
  // Hooks run in the order in which they are written down.
  afterEach(() => streams?.hangUp());
  const suite = useNode(options);

  before(async () => {
    streams = new NodeStreams(suite.node);
    const { container } = await runPod(suite.node, 'first', ['sleep', '1000']);
    const first = await streams.exec(container, ['true']);
    await first.errorText;
    streams.hangUp();
    await removeAllPods(suite.node);
    await suite.retake();
  });
  after(() => streams?.[Symbol.asyncDispose]());

  return Object.defineProperty(suite as Suite & { streams: NodeStreams }, 'streams', { get: () => streams });
}
