import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault, type FaultKind } from '../../ground/fault.ts';
import { LayerExtractor } from '../../image/layers/extract.ts';
import { TarReader } from '../../image/tar/reader.ts';
import { tarArchive, type NewEntry } from '../../image/tar/writer.ts';
import { lgetxattr } from '../../native/xattr.ts';
import { readCheckpoint, unpackCheckpoint } from './unpack.ts';

const SPEC = {
  process: { args: ['sleep', '1'], env: ['A=b'], cwd: '/', user: { uid: 0, gid: 0 } },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: [] }],
};
const CONFIG = {
  name: 'web',
  rootfsImageRef: 'reg.example/web@sha256:00',
  rootfsImageName: 'reg.example/web:1',
};
const DIFF: NewEntry[] = [
  { path: './', type: 'directory', mode: 0o750 },
  { path: './etc/', type: 'directory', mode: 0o700 },
  { path: './etc/changed', content: 'new', uid: 7 },
];
const GOOD: NewEntry[] = [
  { path: './', type: 'directory' },
  { path: './config.dump', content: JSON.stringify(CONFIG) },
  { path: './spec.dump', content: JSON.stringify(SPEC) },
  { path: './checkpoint/', type: 'directory' },
  { path: './checkpoint/inventory.img', content: 'inventory' },
  { path: './checkpoint/pages-1.img', content: 'x'.repeat(3_000_000) },
  { path: './rootfs-diff.tar', content: tarArchive(DIFF) },
  { path: './deleted.files', content: '["etc/gone", "usr/share/old"]' },
  { path: './dump.log', content: 'log' },
];

describe('reading the archive of a checkpoint', () => {
  let top: string;
  let archive: string;
  beforeEach(() => {
    top = fs.mkdtempSync(join(tmpdir(), 'berth-unpack-'));
    archive = join(top, 'archive.tar');
    for (const path of ['images', 'upper', 'lower', 'lower/usr', 'lower/usr/share'])
      fs.mkdirSync(join(top, path), { recursive: true });
    fs.chmodSync(join(top, 'lower/usr/share'), 0o711);
    fs.writeFileSync(join(top, 'victim'), 'untouched');
  });
  afterEach(() => {
    assert.equal(fs.readFileSync(join(top, 'victim'), 'utf8'), 'untouched');
    fs.rmSync(top, { recursive: true });
  });

  const put = (bytes: Uint8Array): void => fs.writeFileSync(archive, bytes, { mode: 0o600 });
  const unpack = (): void => {
    const { deleted } = readCheckpoint({ archive }, () => {});
    const place = (name: string): string => join(top, name);
    for (const name of ['images', 'upper']) {
      fs.rmSync(place(name), { recursive: true });
      fs.mkdirSync(place(name));
    }
    const target = { images: place('images'), upper: place('upper'), lower: [place('lower')], deleted };
    unpackCheckpoint({ archive }, target, () => {});
  };
  const refused = (kind: FaultKind, pattern: RegExp, work: () => void = unpack): void =>
    assert.throws(work, (error) => {
      assert.ok(error instanceof Fault, String(error));
      assert.equal(error.kind, kind, error.message);
      assert.match(error.message, pattern);
      return true;
    });
  /** GOOD with another entry of that name, or with none. */
  const changed = (path: string, entry: NewEntry | undefined): void =>
    put(tarArchive(GOOD.flatMap((one) => (one.path === path ? (entry ?? []) : one))));

  it('says what the container was', () => {
    put(tarArchive(GOOD));
    const { config, spec, deleted } = readCheckpoint({ archive }, () => {});
    assert.equal(config.rootfsImageRef, CONFIG.rootfsImageRef);
    assert.deepEqual(spec.process, SPEC.process);
    assert.deepEqual(deleted, ['etc/gone', 'usr/share/old']);
  });

  it('lays the images of criu in one place and the changed files in another', () => {
    put(tarArchive(GOOD));
    unpack();
    assert.deepEqual(fs.readdirSync(join(top, 'images')), ['inventory.img', 'pages-1.img']);
    assert.equal(fs.statSync(join(top, 'images/pages-1.img')).size, 3_000_000);
    assert.equal(fs.statSync(join(top, 'images/pages-1.img')).mode & 0o777, 0o600);
    const upper = (path: string): fs.Stats => fs.lstatSync(join(top, 'upper', path));
    assert.equal(upper('').mode & 0o777, 0o750);
    assert.equal(upper('etc/changed').uid, 7);
    assert.equal(fs.readFileSync(join(top, 'upper/etc/changed'), 'utf8'), 'new');
    for (const gone of ['etc/gone', 'usr/share/old'])
      assert.deepEqual([upper(gone).isCharacterDevice(), upper(gone).rdev], [true, 0], gone);
    // Directories that only the deleted file needs are those of the image.
    assert.equal(upper('usr/share').mode & 0o777, 0o711);
    assert.equal(lgetxattr(join(top, 'upper/etc'), 'trusted.overlay.opaque'), undefined);
  });

  it('understands an archive without changed files', () => {
    put(tarArchive(GOOD.filter(({ path }) => !/rootfs-diff|deleted/.test(path))));
    unpack();
    assert.deepEqual(fs.readdirSync(join(top, 'upper')), []);
  });

  it('refuses what is no such archive', () => {
    refused('not-found', /not there/);
    fs.mkdirSync(archive);
    refused('invalid', /no file/);
    fs.rmdirSync(archive);
    put(Buffer.from('text'));
    refused('invalid', /end is missing/);
    put(Buffer.alloc(10_240));
    refused('invalid', /no config.dump/);
    put(tarArchive(GOOD).subarray(0, 4096));
    refused('invalid', /end is missing/);
    changed('./config.dump', undefined);
    refused('invalid', /no config.dump/);
    changed('./config.dump', { path: 'config.dump', content: 'text' });
    refused('invalid', /config.dump is not JSON/);
    changed('./spec.dump', { path: 'spec.dump', content: '{"mounts":[]}' });
    refused('invalid', /no process/);
    changed('./spec.dump', { path: 'spec.dump', content: JSON.stringify({ process: SPEC.process }) });
    refused('invalid', /no list of mounts/);
    changed('./deleted.files', { path: 'deleted.files', content: '{}' });
    refused('invalid', /no list of paths/);
    put(tarArchive(GOOD.filter(({ path }) => !path.includes('.img'))));
    refused('invalid', /no images/);
  });

  it('refuses what others could have written', () => {
    put(tarArchive(GOOD));
    fs.chmodSync(archive, 0o620);
    refused('permission', /Others than root/);
    fs.chmodSync(archive, 0o644);
    fs.chownSync(archive, 1000, 0);
    refused('permission', /Others than root/);
  });

  it('lets nothing out of its place', () => {
    const outside = join(top, 'victim');
    for (const path of ['checkpoint/../../victim', 'checkpoint/a/b.img', 'checkpoint/.hidden dir/x']) {
      changed('./dump.log', { path, content: 'hostile' });
      refused('invalid', /"\.\."|no image of criu/);
    }
    for (const entry of [
      { path: 'checkpoint/inventory.img', type: 'symlink', link: outside } as const,
      { path: 'checkpoint/inventory.img', type: 'hardlink', link: outside } as const,
      { path: 'checkpoint/inventory.img', type: 'char', major: 1, minor: 3 } as const,
    ]) {
      changed('./checkpoint/inventory.img', entry);
      refused('invalid', /no image of criu/);
    }
    const hostile: NewEntry[][] = [
      [{ path: '../victim', content: 'hostile' }],
      [{ path: 'up', type: 'hardlink', link: '../victim' }],
    ];
    for (const entries of hostile) {
      changed('./rootfs-diff.tar', { path: 'rootfs-diff.tar', content: tarArchive(entries) });
      refused('invalid', /"\.\."/);
    }
    // Links lead nowhere but into the layer itself.
    const link: NewEntry[] = [
      { path: 'out', type: 'symlink', link: top },
      { path: 'out/victim', content: 'hostile' },
    ];
    changed('./rootfs-diff.tar', { path: 'rootfs-diff.tar', content: tarArchive(link) });
    unpack();
    changed('./deleted.files', { path: 'deleted.files', content: '["../victim"]' });
    refused('invalid', /"\.\."/);
  });

  it('understands the same files as the layer of an image', () => {
    const layer = join(top, 'layer');
    const fill = (entries: NewEntry[]): void => {
      fs.rmSync(layer, { recursive: true, force: true });
      fs.mkdirSync(layer);
      const extractor = new LayerExtractor(layer, { bytes: 1e9, entries: 1e6 });
      const reader = new TarReader(extractor);
      reader.push(tarArchive(entries));
      reader.finish();
      extractor.finish();
    };
    const place = (name: string): string => join(top, name);
    const into = (): void => {
      for (const name of ['images', 'upper']) {
        fs.rmSync(place(name), { recursive: true });
        fs.mkdirSync(place(name));
      }
      const { deleted } = readCheckpoint({ layer }, () => {});
      const target = { images: place('images'), upper: place('upper'), lower: [], deleted };
      unpackCheckpoint({ layer }, target, () => {});
    };
    fill(GOOD);
    into();
    assert.deepEqual(fs.readdirSync(place('images')), ['inventory.img', 'pages-1.img']);
    assert.equal(fs.statSync(place('images/pages-1.img')).size, 3_000_000);
    assert.equal(fs.readFileSync(place('upper/etc/changed'), 'utf8'), 'new');
    assert.equal(fs.lstatSync(place('upper/etc/gone')).rdev, 0);
    const without = (path: string): NewEntry[] => GOOD.filter((entry) => entry.path !== path);
    const link = (path: string): NewEntry => ({ path, type: 'symlink', link: place('victim') });
    for (const path of ['./config.dump', './rootfs-diff.tar', './checkpoint/inventory.img']) {
      fill([...without(path), link(path)]);
      refused('invalid', /no config.dump|no file|no image of criu/, into);
    }
    fill([...GOOD.filter(({ path }) => !path.startsWith('./checkpoint')), link('./checkpoint')]);
    refused('invalid', /no images/, into);
    fill(without('./config.dump'));
    refused('invalid', /no config.dump/, into);
  });

  it('stops when nobody waits any more', () => {
    put(tarArchive(GOOD));
    let calls = 0;
    const check = (): void => {
      if (++calls > 1) throw new Fault('cancelled', 'Nobody waits');
    };
    refused('cancelled', /Nobody waits/, () => {
      const place = (name: string): string => join(top, name);
      unpackCheckpoint(
        { archive },
        { images: place('images'), upper: place('upper'), lower: [], deleted: [] },
        check,
      );
    });
  });
});
