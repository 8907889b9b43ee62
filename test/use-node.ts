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

  const complaints: string[] = [];

  afterEach(async function () {
    if (node === undefined || clean === undefined) return;
    const failed = this.currentTest?.state === 'failed';
    // A complaint is kept for the end: a hook that throws would end the suite here.
    try {
      if (failed)
        console.log(`    The daemon's log ends with:\n${node.logTail(15).replace(/^/gm, '      ')}`);
      if (!node.running) await node.start();
      await removeAllPods(node);
      // What a failed test left is no leak; it only must not disturb the next one.
      if (!failed) await assertNoLeaks(node, clean);
    } catch (error) {
      complaints.push(
        `after ${this.currentTest?.fullTitle()}: ${error instanceof Error ? error.message : String(error)}`,
      );
      console.log(`    FAILED ${complaints.at(-1)}`);
    }
    if (failed || complaints.length > 0) clean = await takeCensus(node);
  });

  after('nothing is left on the node', async () => {
    await library?.close();
    await node?.destroy();
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
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
