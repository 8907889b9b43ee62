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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExitWatcher } from '../../native/exits.ts';
import { criuErrors } from './criu.ts';
import { writeCheckpointArchive, type CheckpointedContainer } from './archive.ts';

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
    for (const directory of ['work', 'work/checkpoint', 'upper', 'upper/etc', 'out'])
      mkdirSync(join(top, directory));
    writeFileSync(join(top, 'work/checkpoint/core-1.img'), 'core');
    writeFileSync(join(top, 'upper/etc/made here'), 'text');
    execFileSync('mknod', [join(top, 'upper/etc/gone*'), 'c', '0', '0']);
    execFileSync('mknod', [join(top, 'upper/null'), 'c', '1', '3']);
  });
  afterEach(() => rmSync(top, { recursive: true }));

  const write = (signal?: AbortSignal): Promise<void> =>
    writeCheckpointArchive(
      exits,
      join(top, 'work'),
      {
        config: CONFIG,
        spec: Buffer.from('{"ociVersion":"1.0.2"}'),
        upper: join(top, 'upper'),
        location: join(top, 'out/archive.tar'),
      },
      signal,
    );
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
