import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExitWatcher } from '../../native/exits.ts';
import { lsetxattr } from '../../native/xattr.ts';
import { criuErrors } from './criu.ts';
import { writeCheckpointArchive, writeRootfsDiff } from './archive.ts';
import type { CheckpointedContainer } from './metadata.ts';

const CONFIG: CheckpointedContainer = {
  id: 'c1',
  name: 'web',
  rootfsImage: 'reg.example/web:1',
  rootfsImageRef: 'reg.example/web@sha256:00',
  rootfsImageName: 'reg.example/web:1',
  runtime: 'runc',
  createdTime: '2026-01-01T00:00:00.000Z',
  checkpointedTime: '2026-01-02T00:00:00.000Z',
  restored: false,
};

describe('the archive of a checkpoint', () => {
  let top: string;
  let exits: ExitWatcher;
  before(async () => {
    exits = await ExitWatcher.start();
  });
  after(() => exits.close());
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'berth-checkpoint-'));
    for (const directory of ['work', 'work/checkpoint', 'upper', 'upper/etc', 'out', 'above', 'below'])
      mkdirSync(join(top, directory));
    writeFileSync(join(top, 'work/checkpoint/core-1.img'), 'core');
    writeFileSync(join(top, 'upper/etc/made here'), 'text');
    execFileSync('mknod', [join(top, 'upper/etc/gone*'), 'c', '0', '0']);
    execFileSync('mknod', [join(top, 'upper/null'), 'c', '1', '3']);
  });
  afterEach(() => rmSync(top, { recursive: true }));

  const write = async (signal?: AbortSignal): Promise<void> => {
    const layers = { upper: join(top, 'upper'), lower: [join(top, 'above'), join(top, 'below')] };
    await writeRootfsDiff(exits, join(top, 'work'), layers, signal);
    const spec = Buffer.from('{"ociVersion":"1.0.2"}');
    const location = join(top, 'out/archive.tar');
    await writeCheckpointArchive(exits, join(top, 'work'), { config: CONFIG, spec, location }, signal);
  };
  const list = (archive: string): string[] =>
    execFileSync('tar', ['--list', `--file=${archive}`], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .sort();

  it('holds what the peers put into it, for its owner alone', async () => {
    await write();
    const archive = join(top, 'out/archive.tar');
    assert.equal(statSync(archive).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(top, 'out')), ['archive.tar']);
    assert.deepEqual(list(archive), [
      './',
      './checkpoint/',
      './checkpoint/core-1.img',
      './config.dump',
      './deleted.files',
      './rootfs-diff.tar',
      './spec.dump',
    ]);
    execFileSync('tar', ['--extract', `--file=${archive}`, `--directory=${join(top, 'out')}`]);
    const read = (name: string): string => readFileSync(join(top, 'out', name), 'utf8');
    assert.deepEqual(JSON.parse(read('config.dump')), CONFIG);
    assert.deepEqual(JSON.parse(read('deleted.files')), ['etc/gone*']);
    assert.equal(read('spec.dump'), '{"ociVersion":"1.0.2"}');
    assert.deepEqual(list(join(top, 'out/rootfs-diff.tar')), ['./', './etc/', './etc/made here', './null']);
  });

  it('names what a directory hides that took the place of another', async () => {
    for (const path of ['upper/new', 'upper/new/deep', 'above/new', 'below/new', 'below/new/deep'])
      mkdirSync(join(top, path));
    lsetxattr(join(top, 'upper/new'), 'trusted.overlay.opaque', Buffer.from('y'));
    for (const path of ['upper/new/kept', 'above/new/kept', 'above/new/old', 'below/new/older'])
      writeFileSync(join(top, path), path);
    // What a link of a lower layer leads to is none of its files.
    mkdirSync(join(top, 'upper/linked'));
    mkdirSync(join(top, 'upper/linked/etc'));
    lsetxattr(join(top, 'upper/linked/etc'), 'trusted.overlay.opaque', Buffer.from('y'));
    symlinkSync('/', join(top, 'below/linked'));
    await write();
    const deleted = execFileSync('tar', ['-xOf', join(top, 'out/archive.tar'), './deleted.files']);
    assert.deepEqual(JSON.parse(deleted.toString()), ['etc/gone*', 'new/old', 'new/older']);
  });

  it('does not come half', async () => {
    await assert.rejects(write(AbortSignal.abort()), { name: 'AbortError' });
    rmSync(join(top, 'upper'), { recursive: true });
    await assert.rejects(write(), /upper/);
    assert.equal(existsSync(join(top, 'out/archive.tar')), false);
    assert.deepEqual(readdirSync(join(top, 'out')), []);
    mkdirSync(join(top, 'upper'));
  });

  it('is refused in the words of criu', () => {
    const log =
      '(00.1) Version: 3\n(00.2) Error (criu/vdso.c:381): vdso: Unexpected\nError (a.c:1): second\n';
    assert.equal(criuErrors(log), 'vdso: Unexpected; second');
    assert.equal(criuErrors('all is well'), '');
  });
});
