import { busyboxImage } from './image-builder.ts';
import { ImageLibrary } from './image-library.ts';
import { assertNoLeaks, takeCensus, type Census } from './leaks.ts';
import { startNode, type NodeOptions, type TestNode } from './node.ts';
import { BUSYBOX, removeAllPods } from './pods.ts';

/** What a suite has at hand once its hooks ran. */
export interface Suite {
  readonly node: TestNode;
  readonly library: ImageLibrary;
  /** The node with the busybox image and no pods. */
  readonly clean: Census;
  /** Takes the census anew, after something was made that stays by design. */
  retake(): Promise<void>;
}

/**
 * Gives the enclosing `describe` a running node with the busybox image. After each test all pods are removed and the
 * node is searched for leaks; a failed test prints the end of the daemon's log instead.
 */
export function useNode(options: NodeOptions & { image?: boolean } = {}): Suite {
  let node: TestNode | undefined;
  let library: ImageLibrary | undefined;
  let clean: Census | undefined;

  before(async () => {
    library = await ImageLibrary.open();
    if (options.image !== false) await library.push('busybox:1', busyboxImage());
    node = await startNode(options);
    await library.serve(node);
    if (options.image !== false) await node.client.call('PullImage', { image: { image: BUSYBOX } });
    clean = await takeCensus(node);
  });

  afterEach(async function () {
    if (node === undefined || clean === undefined) return;
    if (this.currentTest?.state === 'failed') {
      console.log(`    The daemon's log ends with:\n${node.logTail().replace(/^/gm, '      ')}`);
      // What the failed test left is no leak; it only must not disturb the next one.
      if (node.running)
        await removeAllPods(node).catch((error: unknown) => console.log(`    ${String(error)}`));
      clean = await takeCensus(node);
      return;
    }
    if (!node.running) await node.start();
    await removeAllPods(node);
    await assertNoLeaks(node, clean);
  });

  after(async () => {
    await library?.close();
    await node?.destroy();
  });

  return {
    get node() {
      return present(node);
    },
    get library() {
      return present(library);
    },
    get clean() {
      return present(clean);
    },
    async retake() {
      clean = await takeCensus(present(node));
    },
  };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The suite has not begun');
  return value;
}
