import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonCensus } from '../../cri/census.ts';
import { ImageLibrary } from '../image-library.ts';
import { busyboxImage } from '../image-builder.ts';
import { TestNode } from '../node.ts';
import { BUSYBOX, ContainerState, eventually, removeAllPods, runPod, statusOf } from '../pods.ts';

/** Bytes that no compression makes smaller. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0, x = 1; i < size; i++) {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    bytes[i] = x >> 16;
  }
  return bytes;
}

describe('a full disk', () => {
  let node: TestNode;
  let library: ImageLibrary;
  /** The node's root as the test sees it. */
  let root: string;

  beforeEach(async () => {
    library = await ImageLibrary.open();
    await library.push('busybox:1', busyboxImage());
    node = await TestNode.make();
    await node.exec(['mount', '-t', 'tmpfs', '-o', 'size=48m,mode=755', 'small', node.root]);
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

  /** Takes every byte that is left. */
  function fill(): void {
    const fd = openSync(join(root, 'ballast'), 'a');
    for (const piece of [Buffer.alloc(1 << 20), Buffer.alloc(4096), Buffer.alloc(1)]) {
      try {
        for (;;) writeSync(fd, piece);
      } catch (error) {
        assert.match(String(error), /ENOSPC/);
      }
    }
    closeSync(fd);
    assert.equal(statfsSync(root).bfree, 0);
  }

  it('lets a pull fail with what it needs, and leaves the store as it was', async () => {
    const image = `${ImageLibrary.address}/large:1`;
    // Little to fetch, much to unpack.
    await library.push('large:1', {
      layers: [{ files: [{ path: 'zeros', content: Buffer.alloc(60 << 20) }] }],
    });
    const before = statfsSync(root).bfree;
    const error = await node.client.call('PullImage', { image: { image } }).then(
      () => assert.fail('pulled'),
      (reason: Error) => reason,
    );
    assert.match(error.message, /RESOURCE_EXHAUSTED.*large:1.*ENOSPC.*\d+ bytes compressed, \d+ were free/s);
    // Nothing to compress: it is seen before it is fetched.
    await library.push('noise:1', {
      layers: [{ files: [{ path: 'noise', content: noise(50 << 20) }], compression: 'none' }],
    });
    await assert.rejects(
      node.client.call('PullImage', { image: { image: `${ImageLibrary.address}/noise:1` } }),
      /RESOURCE_EXHAUSTED.*needs at least 524\d+ bytes, and \d+ are free/s,
    );
    await eventually('the room is free again', 5000, () =>
      statfsSync(root).bfree >= before - 64 ? true : undefined,
    );
    assert.deepEqual(readdirSync(join(root, 'images/ingest')), []);
    const { json } = await node.client.call('Census', {});
    const { notices, disk } = JSON.parse(json) as DaemonCensus;
    assert.deepEqual(
      notices.map(({ kind }) => kind),
      ['no-room', 'no-room'],
    );
    assert.match(notices[1]!.message, /noise:1.*needs at least/);
    const { bsize, blocks, files } = statfsSync(root);
    assert.deepEqual([disk?.bytesTotal, disk?.inodesTotal], [bsize * blocks, files]);
    const { images } = await node.client.call('ListImages', {});
    assert.deepEqual(
      images.map(({ repoTags }) => repoTags[0]),
      [BUSYBOX],
    );
    await runPod(node, 'after', ['sleep', '100']);
    await removeAllPods(node);
  });

  it('lets everything be listed, stopped and removed, by a daemon that was killed, too', async () => {
    const pods = [];
    for (let i = 0; i < 6; i++) pods.push(await runPod(node, `p${i}`, ['sleep', '1000']));
    fill();
    const [first] = pods;
    assert.equal((await node.client.call('ListContainers', {})).containers.length, 6);
    await node.client.call('StopContainer', { containerId: first!.container, timeout: 0 });
    assert.equal((await statusOf(node, first!.container)).state, ContainerState.EXITED);
    await node.client.call('RemoveContainer', { containerId: first!.container });
    // More writes than one log holds: it is taken up into the database again and again.
    for (let i = 0; i < 30; i++)
      await node.client.call('UpdateContainerResources', {
        containerId: pods[1]!.container,
        linux: { cpuShares: 100 + i },
      });
    fill();
    await node.kill9();
    fill();
    await node.start();
    assert.equal((await node.client.call('ListContainers', {})).containers.length, 5);
    await node.client.call('StopPodSandbox', { podSandboxId: pods[1]!.sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: pods[1]!.sandbox });
    await node.stop();
    fill();
    await node.start();
    await removeAllPods(node);
    assert.deepEqual((await node.client.call('ListContainers', {})).containers, []);
    await node.client.call('RemoveImage', { image: { image: BUSYBOX } });
    await eventually('the layers go', 5000, () =>
      readdirSync(join(root, 'images/layers')).length === 0 ? true : undefined,
    );
  });
});
