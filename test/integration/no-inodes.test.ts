import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { ImageLibrary } from '../image-library.ts';
import { SmallRoot } from '../small-root.ts';
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
  const small = SmallRoot.use(`size=200m,nr_inodes=${INODES}`);

  const ballast = (): string => join(small.path, 'ballast');
  const freeInodes = (): number => statfsSync(small.path).ffree;

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
    assert.ok(statfsSync(small.path).bavail > 1000, 'there is room for bytes');
  }

  const pull = (image: string): Promise<string> =>
    small.node.client.call('PullImage', { image: { image } }).then(
      () => assert.fail('pulled'),
      ({ message }: Error) => message,
    );
  const imageNames = async (): Promise<unknown[]> =>
    (await small.node.client.call('ListImages', {})).images.map(({ repoTags }) => repoTags[0]);

  it('lets a pull fail with what is missing, and leaves the store as it was', async () => {
    const files = Array.from({ length: INODES }, (_, i) => ({ path: `f${i}`, content: '' }));
    await small.library.push('many:1', { layers: [{ files }] });
    const before = freeInodes();
    const layers = readdirSync(join(small.path, 'images/layers'));
    const missing = /RESOURCE_EXHAUSTED.*many:1.*no inodes left.*ENOSPC.*has 2500 inodes/s;
    assert.match(await pull(MANY), missing);
    const left = (): true | undefined => (freeInodes() >= before - 4 ? true : undefined);
    await eventually('the inodes are free again', 5000, left);
    fill();
    assert.match(await pull(MANY), missing);
    assert.deepEqual(readdirSync(join(small.path, 'images/ingest')), []);
    assert.deepEqual(readdirSync(join(small.path, 'images/layers')), layers);
    assert.deepEqual(await imageNames(), [BUSYBOX]);
    rmSync(ballast(), { recursive: true });
    await runPod(small.node, 'after', ['sleep', '100']);
    await removeAllPods(small.node);
  });

  it('lets everything be listed, stopped and removed, by a daemon that was killed, too', async () => {
    const pods = [];
    for (let i = 0; i < 4; i++) pods.push(await runPod(small.node, `p${i}`, ['sleep', '1000']));
    const [first, second] = pods;
    fill();
    await assert.rejects(
      createContainer(first!.sandbox, small.node, containerConfig('more', ['sleep', '1']), first!.pod),
      /ENOSPC/,
    );
    assert.equal((await small.node.client.call('ListContainers', {})).containers.length, 4);
    await small.node.client.call('StopContainer', { containerId: first!.container, timeout: 0 });
    assert.equal((await statusOf(small.node, first!.container)).state, ContainerState.EXITED);
    await small.node.client.call('RemoveContainer', { containerId: first!.container });
    fill();
    await small.node.kill9();
    fill();
    await small.node.start();
    assert.equal((await small.node.client.call('ListContainers', {})).containers.length, 3);
    await small.node.client.call('StopPodSandbox', { podSandboxId: second!.sandbox });
    await small.node.client.call('RemovePodSandbox', { podSandboxId: second!.sandbox });
    await small.node.stop();
    fill();
    await small.node.start();
    fill();
    await removeAllPods(small.node);
    assert.deepEqual((await small.node.client.call('ListContainers', {})).containers, []);
    await small.node.client.call('RemoveImage', { image: { image: BUSYBOX } });
    const gone = (): true | undefined =>
      readdirSync(join(small.path, 'images/layers')).length === 0 ? true : undefined;
    await eventually('the layers go', 5000, gone);
  });
});
