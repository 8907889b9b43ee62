import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ImageRecord } from '../../image/images.ts';
import { pushImage, type ImageBuild } from '../image-builder.ts';
import { ImageStore, until } from '../image-store.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { startRegistry, type Registry } from '../registry.ts';

const layer = (path: string): ImageBuild['layers'][number] => ({
  files: [
    { path: 'd/', type: 'directory' },
    { path: `d/${path}`, content: path.repeat(500) },
    { path: `${path}-link`, type: 'symlink', link: `d/${path}` },
  ],
});

describeInOwnNamespaces('the image store looked through', import.meta.url, () => {
  const store = ImageStore.use();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await pushImage(registry.address, 'one:1', { layers: [layer('base'), layer('one')] });
    await pushImage(registry.address, 'two:1', { layers: [layer('base'), layer('two')] });
  });
  after(() => registry.stop());
  const pull = (reference: string): Promise<ImageRecord> =>
    store.images.pull(`${registry.address}/${reference}`, {});
  const directoryOf = (image: ImageRecord, at: number): string =>
    store.images.inspect(image.id).layers[at]!.directory;
  const check = (repair = false): ReturnType<typeof store.images.check> => store.images.check({ repair });

  it('is whole after pulls, and says so', async () => {
    await Promise.all([pull('one:1'), pull('two:1')]);
    assert.deepEqual(await check(), { verified: 3, unverifiable: 0, findings: [] });
  });

  const damages: [string, (directory: string) => void, RegExp][] = [
    [
      'another byte',
      (path) => fs.writeFileSync(join(path, 'd/one'), 'onE'.repeat(500)),
      /content of the layer is/,
    ],
    ['a truncated file', (path) => fs.truncateSync(join(path, 'd/one'), 7), /has 7 bytes instead of 1500/],
    ['an empty file', (path) => fs.truncateSync(join(path, 'd/one')), /has 0 bytes/],
    ['a missing file', (path) => fs.rmSync(join(path, 'd/one')), /"d\/one".*ENOENT/],
    ['another owner', (path) => fs.chownSync(join(path, 'd/one'), 7, 7), /belongs to 7:7/],
    ['another mode', (path) => fs.chmodSync(join(path, 'd/one'), 0o4755), /has the mode 4755/],
    [
      'a link in the place of a file',
      (path) => {
        fs.rmSync(join(path, 'd/one'));
        fs.symlinkSync('/etc/passwd', join(path, 'd/one'));
      },
      /"d\/one".*ELOOP/,
    ],
    ['a missing directory', (path) => fs.rmSync(path, { recursive: true }), /directory is missing/],
    [
      'a damaged recipe',
      (path) =>
        fs.writeFileSync(path.replace('/layers/', '/recipes/'), Buffer.from([4, 0, 0, 0, 1, 2, 3, 4])),
      /recipe.*damaged/,
    ],
  ];
  for (const [what, damage, pattern] of damages) {
    it(`finds ${what}, sets the layer aside, and the next pull makes it anew`, async () => {
      const one = await pull('one:1');
      const two = await pull('two:1');
      damage(directoryOf(one, 1));
      const seen = await check();
      assert.deepEqual(
        seen.findings.map(({ kind, id, repaired }) => [kind, id, repaired]),
        [['layer', one.layers[1], false]],
      );
      assert.match(seen.findings[0]!.problem, pattern);
      assert.notEqual(store.images.find(one.id), undefined, 'looking changes nothing');

      const repaired = await check(true);
      assert.deepEqual(
        repaired.findings.map(({ kind, id, repaired: done }) => [kind, id, done]),
        [
          ['layer', one.layers[1], true],
          ['image', one.id, true],
        ],
      );
      assert.equal(store.images.find(one.id), undefined, 'so that its users pull it');
      assert.deepEqual(
        store.notices.list().map(({ kind }) => kind),
        ['store-repaired'],
      );
      assert.match(store.notices.list()[0]!.message, pattern);
      assert.notEqual(store.images.find(two.id), undefined);
      assert.deepEqual((await check()).findings, []);
      assert.equal((await pull('one:1')).id, one.id);
      assert.deepEqual(await check(), { verified: 3, unverifiable: 0, findings: [] });
      await store.mounted(one.layers, (target) =>
        assert.equal(fs.readFileSync(join(target, 'one-link'), 'utf8'), 'one'.repeat(500)),
      );
    });
  }

  it('gets a layer back whose directory is gone by a pull alone, also one of another image', async () => {
    const one = await pull('one:1');
    fs.rmSync(directoryOf(one, 0), { recursive: true });
    await pull('two:1');
    assert.deepEqual((await check()).findings, []);
    fs.rmSync(directoryOf(one, 1), { recursive: true });
    assert.equal((await pull('one:1')).id, one.id);
    assert.deepEqual(await check(), { verified: 3, unverifiable: 0, findings: [] });
    await store.mounted(one.layers, (target) =>
      assert.equal(fs.readFileSync(join(target, 'one-link'), 'utf8'), 'one'.repeat(500)),
    );
  });

  it('loses every image of a shared layer that is damaged', async () => {
    const one = await pull('one:1');
    const two = await pull('two:1');
    fs.truncateSync(join(directoryOf(one, 0), 'd/base'), 1);
    await check(true);
    assert.deepEqual(store.images.list(), []);
    await Promise.all([pull('one:1'), pull('two:1')]);
    assert.deepEqual(new Set(store.images.list().map(({ id }) => id)), new Set([one.id, two.id]));
  });

  it('keeps a damaged layer for the containers that run on it, also over restarts', async () => {
    const one = await pull('one:1');
    const { snapshots } = store.images;
    snapshots.prepare('container', one.layers);
    const target = store.path('container');
    fs.mkdirSync(target);
    snapshots.mount('container', target);
    try {
      fs.truncateSync(join(directoryOf(one, 1), 'd/one'), 7);
      await check(true);
      await store.reopen();
      await store.reopen();
      await until('the trash to be empty', () => fs.readdirSync(store.path('trash')).length === 0);
      assert.equal(fs.readFileSync(join(target, 'd/one'), 'utf8'), 'oneoneo');
      assert.equal(fs.readdirSync(store.path('quarantine')).length, 1);
    } finally {
      await store.images.snapshots.unmount(target);
    }
    store.images.snapshots.remove('container');
    await store.reopen();
    await until('it to be gone', () => fs.readdirSync(store.path('quarantine')).length === 0);
    await store.reopen();
  });

  it('finds what no record names, and removes it', async () => {
    await pull('one:1');
    for (const orphan of ['layers/zz', 'snapshots/nobody', 'ingest/zy']) fs.mkdirSync(store.path(orphan));
    fs.writeFileSync(store.path('recipes/zz'), '');
    const orphans = ['layers/zz', 'recipes/zz', 'snapshots/nobody', 'ingest/zy'];
    assert.deepEqual((await check()).findings.map(({ id }) => id).toSorted(), orphans.toSorted());
    assert.deepEqual((await check(true)).findings.length, 4);
    assert.deepEqual((await check()).findings, []);
  });

  it('does not list an image at the start whose layer is missing', async () => {
    const one = await pull('one:1');
    const lost = directoryOf(one, 1);
    await store.images.close();
    fs.rmSync(lost, { recursive: true });
    store.images = await store.open();
    assert.deepEqual(store.images.list(), []);
    await pull('one:1');
    assert.deepEqual((await check()).findings, []);
  });

  it('is looked through after the node went down, not after the daemon alone', async () => {
    const one = await pull('one:1');
    const file = join(directoryOf(one, 1), 'd/one');
    const healthy = fs.readFileSync(file);
    assert.equal(fs.readFileSync(store.path('unclean'), 'utf8'), 'boot-1\n');
    // The daemon dies without a word: the kernel still has everything.
    const dead = store.images;
    fs.writeFileSync(file, 'D'.repeat(1500));
    store.images = await store.open();
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.notEqual(store.images.find(one.id), undefined);
    // The node goes down.
    store.bootId = 'boot-2';
    const before = store.images;
    store.images = await store.open();
    await until('the damage to be found', () => store.images.find(one.id) === undefined);
    await until('the mark to go', () => !fs.existsSync(store.path('unclean')));
    await pull('one:1');
    assert.deepEqual(fs.readFileSync(join(directoryOf(one, 1), 'd/one')), healthy);
    assert.equal(fs.readFileSync(store.path('unclean'), 'utf8'), 'boot-2\n');
    for (const old of [dead, before]) await old.close();
    await store.images.close();
    assert.ok(!fs.existsSync(store.path('unclean')), 'an orderly end takes the mark away');
    store.images = await store.open();
  });

  it('never removes a pinned image', async () => {
    const one = await pull('one:1');
    const two = await pull('two:1');
    await store.reopen({ pinned: [`${registry.address}/one:1`, 'quay.io/*'] });
    assert.deepEqual([store.images.find(one.id)!.pinned, store.images.find(two.id)!.pinned], [true, false]);
    await store.refuses(store.images.remove(one.id), 'precondition', /pinned.*image\.pinned/);
    await store.images.remove(two.id);
    assert.deepEqual(
      store.images.list().map(({ id }) => id),
      [one.id],
    );
    await store.reopen({ pinned: [`${registry.address}/*`] });
    await store.refuses(store.images.remove(one.id), 'precondition', /pinned/);
    await store.reopen();
    await store.images.remove(one.id);
    assert.deepEqual(store.images.list(), []);
  });
});
