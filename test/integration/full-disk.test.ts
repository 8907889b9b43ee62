import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonCensus } from '../../cri/census.ts';
import { ImageLibrary } from '../image-library.ts';
import { SmallRoot } from '../small-root.ts';
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
  const small = SmallRoot.use('size=48m');

  /** Takes every byte that is left. */
  function fill(): void {
    const fd = openSync(join(small.path, 'ballast'), 'a');
    for (const piece of [Buffer.alloc(1 << 20), Buffer.alloc(4096), Buffer.alloc(1)]) {
      try {
        for (;;) writeSync(fd, piece);
      } catch (error) {
        assert.match(String(error), /ENOSPC/);
      }
    }
    closeSync(fd);
    assert.equal(statfsSync(small.path).bfree, 0);
  }

  it('lets a pull fail with what it needs, and leaves the store as it was', async () => {
    const image = `${ImageLibrary.address}/large:1`;
    // Little to fetch, much to unpack.
    await small.library.push('large:1', {
      layers: [{ files: [{ path: 'zeros', content: Buffer.alloc(60 << 20) }] }],
    });
    const before = statfsSync(small.path).bfree;
    const error = await small.node.client.call('PullImage', { image: { image } }).then(
      () => assert.fail('pulled'),
      (reason: Error) => reason,
    );
    assert.match(error.message, /RESOURCE_EXHAUSTED.*large:1.*ENOSPC.*\d+ bytes compressed, \d+ were free/s);
    // Nothing to compress: it is seen before it is fetched.
    await small.library.push('noise:1', {
      layers: [{ files: [{ path: 'noise', content: noise(50 << 20) }], compression: 'none' }],
    });
    await assert.rejects(
      small.node.client.call('PullImage', { image: { image: `${ImageLibrary.address}/noise:1` } }),
      /RESOURCE_EXHAUSTED.*needs at least 524\d+ bytes, and \d+ are free/s,
    );
    await eventually('the room is free again', 5000, () =>
      statfsSync(small.path).bfree >= before - 64 ? true : undefined,
    );
    assert.deepEqual(readdirSync(join(small.path, 'images/ingest')), []);
    const { json } = await small.node.client.call('Census', {});
    const { notices, disk } = JSON.parse(json) as DaemonCensus;
    assert.deepEqual(
      notices.map(({ kind }) => kind),
      ['no-room', 'no-room'],
    );
    assert.match(notices[1]!.message, /noise:1.*needs at least/);
    const { bsize, blocks, files } = statfsSync(small.path);
    assert.deepEqual([disk?.bytesTotal, disk?.inodesTotal], [bsize * blocks, files]);
    const { images } = await small.node.client.call('ListImages', {});
    assert.deepEqual(
      images.map(({ repoTags }) => repoTags[0]),
      [BUSYBOX],
    );
    await runPod(small.node, 'after', ['sleep', '100']);
    await removeAllPods(small.node);
  });

  it('lets everything be listed, stopped and removed, by a daemon that was killed, too', async () => {
    const pods = [];
    for (let i = 0; i < 6; i++) pods.push(await runPod(small.node, `p${i}`, ['sleep', '1000']));
    fill();
    const [first] = pods;
    assert.equal((await small.node.client.call('ListContainers', {})).containers.length, 6);
    await small.node.client.call('StopContainer', { containerId: first!.container, timeout: 0 });
    assert.equal((await statusOf(small.node, first!.container)).state, ContainerState.EXITED);
    await small.node.client.call('RemoveContainer', { containerId: first!.container });
    // More writes than one log holds: it is taken up into the database again and again.
    for (let i = 0; i < 30; i++)
      await small.node.client.call('UpdateContainerResources', {
        containerId: pods[1]!.container,
        linux: { cpuShares: 100 + i },
      });
    fill();
    await small.node.kill9();
    fill();
    await small.node.start();
    assert.equal((await small.node.client.call('ListContainers', {})).containers.length, 5);
    await small.node.client.call('StopPodSandbox', { podSandboxId: pods[1]!.sandbox });
    await small.node.client.call('RemovePodSandbox', { podSandboxId: pods[1]!.sandbox });
    await small.node.stop();
    fill();
    await small.node.start();
    await removeAllPods(small.node);
    assert.deepEqual((await small.node.client.call('ListContainers', {})).containers, []);
    await small.node.client.call('RemoveImage', { image: { image: BUSYBOX } });
    await eventually('the layers go', 5000, () =>
      readdirSync(join(small.path, 'images/layers')).length === 0 ? true : undefined,
    );
  });
});
