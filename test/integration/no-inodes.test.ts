import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { TestNode } from '../node.ts';
import {
  BUSYBOX,
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
  removeAllPods,
  runPod,
  statusOf,
} from '../pods.ts';

const INODES = 2500;
const MANY = `${ImageLibrary.address}/many:1`;

describe('a file system without inodes', () => {
  let node: TestNode;
  let library: ImageLibrary;
  /** The node's root as the test sees it. */
  let root: string;

  beforeEach(async () => {
    library = await ImageLibrary.open();
    await library.push('busybox:1', busyboxImage());
    node = await TestNode.make();
    const options = `size=200m,nr_inodes=${INODES},mode=755`;
    await node.exec(['mount', '-t', 'tmpfs', '-o', options, 'few', node.root]);
    root = join(`/proc/${node.holder}/root`, node.root);
    await node.start();
    await library.serve(node);
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(node.logTail(30));
    await library.close();
    await node.destroy();
  });

  const ballast = (): string => join(root, 'ballast');
  const freeInodes = (): number => statfsSync(root).ffree;

  /** Takes every inode that is left. */
  function fill(): void {
    mkdirSync(ballast(), { recursive: true });
    try {
      for (let i = readdirSync(ballast()).length; ; i++)
        closeSync(openSync(join(ballast(), String(i)), 'wx'));
    } catch (error) {
      assert.match(String(error), /ENOSPC/);
    }
    assert.equal(freeInodes(), 0);
    assert.ok(statfsSync(root).bavail > 1000, 'there is room for bytes');
  }

  const pull = (image: string): Promise<string> =>
    node.client.call('PullImage', { image: { image } }).then(
      () => assert.fail('pulled'),
      ({ message }: Error) => message,
    );
  const imageNames = async (): Promise<unknown[]> =>
    (await node.client.call('ListImages', {})).images.map(({ repoTags }) => repoTags[0]);

  it('lets a pull fail with what is missing, and leaves the store as it was', async () => {
    const files = Array.from({ length: INODES }, (_, i) => ({ path: `f${i}`, content: '' }));
    await library.push('many:1', { layers: [{ files }] });
    const before = freeInodes();
    const layers = readdirSync(join(root, 'images/layers'));
    const missing = /RESOURCE_EXHAUSTED.*many:1.*no inodes left.*ENOSPC.*has 2500 inodes/s;
    assert.match(await pull(MANY), missing);
    const left = (): true | undefined => (freeInodes() >= before - 4 ? true : undefined);
    await eventually('the inodes are free again', 5000, left);
    fill();
    assert.match(await pull(MANY), missing);
    assert.deepEqual(readdirSync(join(root, 'images/ingest')), []);
    assert.deepEqual(readdirSync(join(root, 'images/layers')), layers);
    assert.deepEqual(await imageNames(), [BUSYBOX]);
    rmSync(ballast(), { recursive: true });
    await runPod(node, 'after', ['sleep', '100']);
    await removeAllPods(node);
  });

  it('lets everything be listed, stopped and removed, by a daemon that was killed, too', async () => {
    const pods = [];
    for (let i = 0; i < 4; i++) pods.push(await runPod(node, `p${i}`, ['sleep', '1000']));
    const [first, second] = pods;
    fill();
    await assert.rejects(
      createContainer(first!.sandbox, node, containerConfig('more', ['sleep', '1']), first!.pod),
      /ENOSPC/,
    );
    assert.equal((await node.client.call('ListContainers', {})).containers.length, 4);
    await node.client.call('StopContainer', { containerId: first!.container, timeout: 0 });
    assert.equal((await statusOf(node, first!.container)).state, ContainerState.EXITED);
    await node.client.call('RemoveContainer', { containerId: first!.container });
    fill();
    await node.kill9();
    fill();
    await node.start();
    assert.equal((await node.client.call('ListContainers', {})).containers.length, 3);
    await node.client.call('StopPodSandbox', { podSandboxId: second!.sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: second!.sandbox });
    await node.stop();
    fill();
    await node.start();
    fill();
    await removeAllPods(node);
    assert.deepEqual((await node.client.call('ListContainers', {})).containers, []);
    await node.client.call('RemoveImage', { image: { image: BUSYBOX } });
    const gone = (): true | undefined =>
      readdirSync(join(root, 'images/layers')).length === 0 ? true : undefined;
    await eventually('the layers go', 5000, gone);
  });
});
