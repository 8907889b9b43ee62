import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckReport } from '../../cri/check.ts';
import { STAGES } from '../../ground/stages.ts';
import { busyboxImage, type ImageBuild } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { TestNode } from '../node.ts';
import {
  BUSYBOX,
  containerConfig,
  createContainer,
  podConfig,
  removeAllPods,
  runPod,
  runSandbox,
  shell,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

/** Three layers of many small files on top of busybox, each with a name that says where it is from. */
function manyFiles(tag: string): ImageBuild {
  const layer = (which: string): ImageBuild['layers'][number] => ({
    files: [
      { path: `${which}/`, type: 'directory' },
      ...Array.from({ length: 300 }, (_, i) => ({
        path: `${which}/${i}`,
        content: `${tag} ${which} ${i} `.repeat(200),
      })),
    ],
  });
  return { ...busyboxImage(), layers: [...busyboxImage().layers, layer('a'), layer('b'), layer('c')] };
}

/** `berth check`, which fails when something is wrong. */
async function check(node: TestNode): Promise<CheckReport> {
  return JSON.parse(await node.berth('check', '--json')) as CheckReport;
}

describe('a pull whose daemon is killed', () => {
  const suite = useNode();

  for (const stage of STAGES.PullImage) {
    it(`at ${stage}: nothing half done is left, and the next pull works`, async () => {
      const { node, library } = suite;
      const image = `${ImageLibrary.address}/crash-${stage}:1`;
      await library.push(`crash-${stage}:1`, manyFiles(stage));
      await node.restart({ BERTH_CRASH_AT: `PullImage:${stage}` });
      await assert.rejects(node.client.call('PullImage', { image: { image } }), { code: 'UNAVAILABLE' });
      await Promise.race([node.ended(), sleep(5000, undefined, { ref: false })]);
      assert.ok(!node.running, 'the daemon died at the stage');

      // What the dead daemon was unpacking has no record, and is all that can be there.
      const berth = join(import.meta.dirname, '../../bin/berth');
      const argv = ['sh', '-c', `${berth} check --json --config ${node.configFile} || true`];
      const dead = JSON.parse(await node.exec(argv)) as CheckReport;
      assert.deepEqual([dead.live, dead.pods], [false, []]);
      assert.ok(dead.store.findings.every(({ kind }) => kind === 'orphan'));
      await node.start();
      assert.deepEqual(readdirSync(join(node.root, 'images/ingest')), []);
      const live = await check(node);
      assert.deepEqual(
        [live.live, live.pods, live.store.findings, live.store.unverifiable],
        [true, [], [], 0],
      );

      await node.client.call('PullImage', { image: { image } });
      const pod = await runPod(node, 'after', ['sleep', '100'], { container: { image: { image } } });
      const all = 'cat /a/* /b/* /c/* | wc -c; ls /a /b /c | grep -c "^[0-9]"';
      const size = ['a', 'b', 'c'].flatMap((which) =>
        Array.from({ length: 300 }, (_, i) => `${stage} ${which} ${i} `.length * 200),
      );
      assert.equal(await shell(node, pod.container, all), `${size.reduce((sum, one) => sum + one)}\n900\n`);
      await removeAllPods(node);
      await node.client.call('RemoveImage', { image: { image } });
    });
  }

  it('at any time: every layer that is there is whole', async () => {
    const { node, library } = suite;
    const image = `${ImageLibrary.address}/anytime:1`;
    await library.push('anytime:1', manyFiles('anytime'));
    for (let round = 0; round < 8; round++) {
      const pulling = node.client.call('PullImage', { image: { image } }).catch(() => undefined);
      await sleep(15 + round * 40);
      await node.kill9();
      await pulling;
      await node.start();
      const { store } = await check(node);
      assert.deepEqual(store.findings, []);
      await node.client.call('RemoveImage', { image: { image } });
    }
  });

  it('runs a container on 130 layers', async () => {
    const { node, library } = suite;
    const image = `${ImageLibrary.address}/tall:1`;
    const layers = Array.from({ length: 129 }, (_, i) => ({
      files: [
        { path: 'tall/', type: 'directory' as const },
        { path: `tall/${i}`, content: `${i}` },
        { path: 'tall/top', content: `${i}` },
      ],
    }));
    await library.push('tall:1', { ...busyboxImage(), layers: [...busyboxImage().layers, ...layers] });
    await node.client.call('PullImage', { image: { image } });
    const pod = await runPod(node, 'tall', ['sleep', '100'], { container: { image: { image } } });
    assert.equal(
      await shell(node, pod.container, 'ls /tall | wc -l; cat /tall/top /tall/0 /tall/77'),
      '130\n128077',
    );
    assert.equal(
      await shell(node, pod.container, 'echo new > /tall/top; rm /tall/5; ls /tall | wc -l'),
      '129\n',
    );
    const again = await createContainer(
      pod.sandbox,
      node,
      containerConfig('again', ['sleep', '9'], { image: { image } }),
      pod.pod,
    );
    await node.client.call('StartContainer', { containerId: again });
    assert.equal(await shell(node, again, 'cat /tall/top'), '128');
    await removeAllPods(node);
    await node.client.call('RemoveImage', { image: { image } });
  });
});

describe('a node that loses its power', () => {
  let node: TestNode;
  let library: ImageLibrary;
  let disk: string;

  beforeEach(async () => {
    library = await ImageLibrary.open();
    await library.push('busybox:1', manyFiles('power'));
    node = await TestNode.make();
    disk = join(node.directory, 'disk.img');
    await node.exec(['sh', '-c', `truncate -s 256M ${disk} && mkfs.ext4 -q ${disk}`]);
    // Nothing goes to the disk by itself: only what is synced is there.
    await node.exec(['mount', '-o', 'loop,commit=300', disk, node.root]);
    await node.start();
    await library.serve(node);
  });
  afterEach(async () => {
    await library.close();
    await node.kill9();
    await node.exec(['umount', '-l', node.root]);
    await node.destroy();
  });

  /** Power goes: the disk is as it is just now, and the node starts with it. */
  async function loseDisk(): Promise<void> {
    await node.kill9();
    const kept = `${disk}.kept`;
    copyFileSync(disk, kept);
    await node.exec(['umount', node.root]);
    renameSync(kept, disk);
    await node.exec(['mount', '-o', 'loop', disk, node.root]);
  }

  it('has every file of every layer of which it has a record', async () => {
    const root = join(`/proc/${node.holder}/root`, node.root);
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
    // The counter-test: a file that nobody synced.
    writeFileSync(join(root, 'unsynced.tmp'), 'x'.repeat(5000));
    renameSync(join(root, 'unsynced.tmp'), join(root, 'unsynced'));
    // The worst case: the records reach the disk, and with them all names, but nobody waits for contents.
    const log = openSync(join(root, 'berth.db-wal'), 'r');
    fsyncSync(log);
    closeSync(log);
    await loseDisk();
    assert.ok(existsSync(join(root, 'unsynced')), 'the name is there');
    assert.equal(
      readFileSync(join(root, 'unsynced')).length,
      0,
      'and the content is lost, as on a real node',
    );

    await node.start({ BERTH_BOOT_ID: 'another' });
    const { store } = await check(node);
    assert.deepEqual(store.findings, []);
    assert.equal(store.verified, 4, 'the records were there');
    await library.serve(node);
    const pod = podConfig(node, 'after');
    await runSandbox(node, pod);
    await removeAllPods(node);
  });

  it('in the middle of a pull has nothing half done', async () => {
    const pulling = node.client.call('PullImage', { image: { image: BUSYBOX } }).catch(() => undefined);
    await sleep(60);
    await loseDisk();
    await pulling;
    await node.start({ BERTH_BOOT_ID: 'another' });
    const { store } = await check(node);
    assert.deepEqual(store.findings, []);
    await library.serve(node);
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
    assert.deepEqual((await check(node)).store, { verified: 4, unverifiable: 0, findings: [] });
  });
});
