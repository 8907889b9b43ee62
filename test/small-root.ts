import { join } from 'node:path';
import { busyboxImage } from './image-builder.ts';
import { ImageLibrary } from './image-library.ts';
import { TestNode } from './node.ts';
import { BUSYBOX } from './pods.ts';

/** A node whose root is a small file system of its own, with an image in it. */
export class SmallRoot {
  node!: TestNode;
  library!: ImageLibrary;
  /** The node's root as the test sees it. */
  path!: string;

  /** Registers the hooks of the suite at hand; `options` are those of a tmpfs: `size=48m`, `nr_inodes=2500`. */
  static use(options: string): SmallRoot {
    const small = new SmallRoot();
    beforeEach(async () => {
      small.library = await ImageLibrary.open();
      await small.library.push('busybox:1', busyboxImage());
      const node = (small.node = await TestNode.make());
      await node.exec(['mount', '-t', 'tmpfs', '-o', `${options},mode=755`, 'small', node.root]);
      small.path = join(`/proc/${node.holder}/root`, node.root);
      await node.start();
      await small.library.serve(node);
      await node.client.call('PullImage', { image: { image: BUSYBOX } });
    });
    afterEach(async function () {
      if (this.currentTest?.state === 'failed') console.log(small.node.logTail(30));
      await small.library.close();
      await small.node.destroy();
    });
    return small;
  }
}
