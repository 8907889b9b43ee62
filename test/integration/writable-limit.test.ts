import assert from 'node:assert/strict';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { TestNode } from '../node.ts';
import { BUSYBOX, containerConfig, podConfig, removeAllPods, runPod, runSandbox } from '../pods.ts';

/** Mounts a fresh ext4, without project quotas, where the node keeps everything. It goes with the node. */
async function mountPlainExt4(node: TestNode): Promise<void> {
  const file = `${node.directory}/disk`;
  await node.exec(['truncate', '-s', '128M', file]);
  await node.exec(['mkfs.ext4', '-q', '-F', file]);
  await node.exec(['mount', '-o', 'loop', file, node.root]);
}

describe('a limit of writable layers', () => {
  let node: TestNode;
  let library: ImageLibrary;
  const begin = async (image: Record<string, unknown>): Promise<void> => {
    library = await ImageLibrary.open();
    await library.push('busybox:1', busyboxImage());
    node = await TestNode.make({ config: { image } });
    await mountPlainExt4(node);
    await node.start();
    await library.serve(node);
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
  };
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') console.log(node.logTail(30));
    await library.close();
    await node.destroy();
  });
  const doctor = (): Promise<string> =>
    node.exec(['sh', '-c', `${node.berthCommand('doctor').join(' ')} 2>&1 || true`]);

  it('is refused where the file system cannot keep it, and says what to do', async () => {
    await begin({ writable_layer_limit: 1 << 20 });
    const config = podConfig(node, 'limited');
    const podSandboxId = await runSandbox(node, config);
    const create = node.client.call('CreateContainer', {
      podSandboxId,
      config: containerConfig('main', ['sleep', '100']),
      sandboxConfig: config,
    });
    await assert.rejects(
      create,
      /FAILED_PRECONDITION.*images cannot limit writable layers.*prjquota.*tune2fs.*writable_layer_limit/s,
    );
    assert.deepEqual((await node.client.call('ListContainers', {})).containers, []);
    assert.match(node.logTail(200), /writable layers cannot be limited here/);
    assert.match(await doctor(), /MISSING +project quotas.*no container can be made.*prjquota/);
    await removeAllPods(node);
  });

  it('is not needed: layers are walked where the file system does not count them', async () => {
    await begin({});
    const { container } = await runPod(node, 'free', [
      'sh',
      '-c',
      'head -c 3000000 /dev/zero >/x; sleep 100',
    ]);
    assert.match(await doctor(), /note +project quotas.*prjquota/);
    for (let used = 0; used < 3_000_000;) {
      const { stats } = await node.client.call('ContainerStats', { containerId: container });
      used = Number(stats!.writableLayer!.usedBytes!.value);
    }
    await removeAllPods(node);
  });
});
