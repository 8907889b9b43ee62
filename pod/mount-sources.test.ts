import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExitWatcher } from '../native/exits.ts';
import type { MountInfo } from '../native/mount.ts';
import type { MountConfig } from './config.ts';
import { checkPropagation, resolveMountSources } from './mount-sources.ts';

const mountAt = (hostPath: string, changes: Partial<MountConfig> = {}): MountConfig => ({
  containerPath: '/data',
  hostPath,
  readonly: false,
  selinuxRelabel: false,
  propagation: 'private',
  recursiveReadOnly: false,
  uidMappings: [],
  gidMappings: [],
  imageSubPath: '',
  ...changes,
});

describe('the sources of mounts', () => {
  let directory: string;
  let exits: ExitWatcher;
  const find = async (...paths: string[]): Promise<(string | undefined)[]> => {
    const found = await resolveMountSources(exits, { mounts: paths.map((path) => mountAt(path)) });
    return paths.map((path) => found.get(path));
  };

  before(async () => {
    exits = await ExitWatcher.start();
    directory = mkdtempSync('/tmp/berth-sources-');
    mkdirSync(join(directory, 'real'));
    writeFileSync(join(directory, 'real/file'), '');
    symlinkSync('real', join(directory, 'link'));
    symlinkSync('nowhere', join(directory, 'dangling'));
  });
  after(async () => {
    rmSync(directory, { recursive: true, force: true });
    await exits.close();
  });

  it('are found through symbolic links, whatever their names', async () => {
    const odd = join(directory, 'real/-e "$(x)"\n\\');
    mkdirSync(odd);
    assert.deepEqual(await find(join(directory, 'link/file'), odd, join(directory, 'link/file')), [
      join(directory, 'real/file'),
      odd,
      join(directory, 'real/file'),
    ]);
  });

  it('become directories where nothing is', async () => {
    const [made] = await find(join(directory, 'link/new/deep'), join(directory, 'real'));
    assert.equal(made, join(directory, 'real/new/deep'));
    assert.equal(statSync(made).mode & 0o7777, 0o755);
  });

  it('are refused when they can neither be found nor made', async () => {
    await assert.rejects(find(join(directory, 'real/file/below')), {
      kind: 'invalid',
      message: /Not a directory/,
    });
    await assert.rejects(find(join(directory, 'dangling')), { kind: 'invalid', message: /dangling/ });
  });

  it('need no child when there are none', async () => {
    assert.deepEqual(await resolveMountSources(exits, { mounts: [mountAt('')] }), new Map());
  });

  it('are given up with the reason of the caller', async () => {
    const gone = AbortSignal.abort(new Error('the caller left'));
    await assert.rejects(resolveMountSources(exits, { mounts: [mountAt('/tmp')] }, gone), /the caller left/);
  });
});

describe('the propagation of a mount', () => {
  const on = (target: string, ...propagation: string[]): MountInfo => ({
    id: 1,
    parent: 0,
    device: '0:1',
    root: '/',
    target,
    options: 'rw',
    propagation,
    fstype: 'ext4',
    source: 'disk',
    superOptions: 'rw',
  });
  const mounts = [on('/'), on('/shared', 'shared:1'), on('/shared/slave', 'master:1'), on('/sharedother')];
  const check = (propagation: MountConfig['propagation'], source: string): void =>
    checkPropagation(mountAt(source, { propagation }), source, mounts);

  it('needs a shared mount to send, and a shared or slave mount to receive', () => {
    check('private', '/x');
    check('bidirectional', '/shared');
    check('bidirectional', '/shared/x');
    check('host-to-container', '/shared/x');
    check('host-to-container', '/shared/slave/x');
    for (const source of ['/x', '/shared/slave', '/sharedother/x'])
      assert.throws(() => check('bidirectional', source), {
        kind: 'precondition',
        message: /not a shared mount/,
      });
    for (const source of ['/x', '/sharedother'])
      assert.throws(() => check('host-to-container', source), {
        kind: 'precondition',
        message: /shared or slave/,
      });
  });

  it('is that of the mount which lies on top', () => {
    const covered = [...mounts, on('/shared')];
    assert.throws(
      () => checkPropagation(mountAt('/shared', { propagation: 'bidirectional' }), '/shared', covered),
      { kind: 'precondition' },
    );
  });
});
