import assert from 'node:assert/strict';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isErrno } from './errno.ts';
import { O, openPath, OwnedFd } from './fd.ts';
import { bindMount, makeShared, mountOverlay, mounts, syncfs, umount, MS, mount } from './mount.ts';
import { parseMountInfo } from './mountinfo.ts';
import { mountByData, mountOnView, type OverlayOptions } from './overlay.ts';
import { spawn } from './spawn.ts';
import { threadCases } from './thread-cases.ts';
import { reap } from './wait.ts';

/** An overlay of `count` layers, each with a file of its own and one that all have, in one directory. */
function layers(count: number, name = 'layer'): OverlayOptions & { upper: string } {
  const base = mkdtempSync('/tmp/overlay-');
  const lower = Array.from({ length: count }, (_, i) => `${base}/${name}${i}`);
  for (const [i, path] of lower.entries()) {
    mkdirSync(path);
    writeFileSync(`${path}/own${i}`, '');
    writeFileSync(`${path}/all`, String(i));
  }
  const overlay = { lower, upper: `${base}/upper`, work: `${base}/work`, target: `${base}/target` };
  for (const path of [overlay.upper, overlay.work, overlay.target]) mkdirSync(path);
  return overlay;
}

function proveOverlay(overlay: OverlayOptions & { upper: string }): void {
  const { target, lower, upper } = overlay;
  assert.equal(readFileSync(`${target}/all`, 'utf8'), '0');
  assert.equal(readdirSync(target).length, lower.length + 1);
  writeFileSync(`${target}/new`, 'x');
  assert.equal(readFileSync(`${upper}/new`, 'utf8'), 'x');
}

/** A user namespace whose ids begin at 100000, held by its file descriptor. */
function mappedNamespace(): OwnedFd {
  const pid = spawn({ path: 'unshare', argv: ['unshare', '--user', 'sleep', '60'] });
  try {
    const own = readlinkSync('/proc/self/ns/user');
    while (readlinkSync(`/proc/${pid}/ns/user`) === own);
    for (const file of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${file}`, '0 100000 65536\n');
    return new OwnedFd(openPath(`/proc/${pid}/ns/user`, O.RDONLY));
  } finally {
    process.kill(pid, 'SIGKILL');
    while (reap(pid) === 'running');
  }
}

threadCases(import.meta.url, 'mount', {
  'overlay of 3 layers'() {
    const overlay = layers(3);
    mountOverlay(overlay);
    proveOverlay(overlay);
    assert.equal(umount(overlay.target), true);
    assert.equal(umount(overlay.target), false);
  },

  'overlay of 130 layers'() {
    const overlay = layers(130);
    mountOverlay(overlay);
    proveOverlay(overlay);
  },

  'overlay whose paths are longer than a parameter, and hold colons and commas'() {
    const overlay = layers(3, 'a:b,c d'.padEnd(240, 'x'));
    mountOverlay(overlay);
    proveOverlay(overlay);
  },

  'overlay the way of older kernels'() {
    const overlay = layers(130, 'a:b,c d');
    mountByData(overlay);
    proveOverlay(overlay);
  },

  'overlay whose layers show the ids of a user namespace'() {
    using userNamespace = mappedNamespace();
    for (const way of [mountOverlay, mountOnView]) {
      const { lower, ...overlay } = layers(3);
      chownSync(`${lower[1]!}/own1`, 7, 8);
      const parent = dirname(lower[0]!);
      way({ ...overlay, lower, idmap: { parent, userNamespace: userNamespace.fd } });
      const { uid, gid } = statSync(`${overlay.target}/own1`);
      assert.deepEqual([uid, gid], [100_007, 100_008]);
      assert.equal(statSync(`${overlay.target}/own0`).uid, 100_000);
      proveOverlay({ ...overlay, lower });
      if (way === mountOnView) {
        assert.equal(umount(overlay.target), true);
        assert.throws(() => writeFileSync(`${overlay.target}/layer0/own0`, 'x'), { code: 'EROFS' });
      }
      assert.equal(umount(overlay.target), true);
      assert.equal(umount(overlay.target), false);
    }
  },

  'overlay without an upper directory cannot be written'() {
    for (const count of [1, 2]) {
      const { lower, target } = layers(count);
      mountOverlay({ lower, target, readonly: true });
      assert.equal(readFileSync(`${target}/all`, 'utf8'), '0');
      assert.throws(
        () => writeFileSync(`${target}/new`, ''),
        (error) => isErrno(error, 'EROFS'),
      );
    }
  },

  'overlay errors carry the words of the kernel'() {
    const overlay = layers(2);
    assert.throws(
      () => mountOverlay({ ...overlay, options: { nonsense: 'x' } }),
      /nonsense=x: EINVAL.*Unknown parameter/,
    );
    assert.throws(
      () => mountOverlay({ ...overlay, lower: ['/nowhere', ...overlay.lower] }),
      /nowhere.*ENOENT/,
    );
  },

  'overlay options, flags among them'() {
    const overlay = layers(2);
    mountOverlay({ ...overlay, options: { index: 'off', volatile: '' } });
    const found = mounts().find((entry) => entry.target === overlay.target);
    assert.equal(found?.fstype, 'overlay');
    assert.match(found.superOptions, /volatile/);
  },

  'bind, propagation and mountinfo'() {
    const { lower } = layers(2, 'with blank ');
    bindMount(lower[0]!, lower[1]!);
    makeShared(lower[1]!);
    const found = mounts().find((entry) => entry.target === lower[1]);
    assert.equal(found?.fstype, 'tmpfs');
    assert.match(found.propagation.join(' '), /shared:/);
    assert.ok(existsSync(`${lower[1]}/own0`));
    syncfs(lower[1]!);
  },

  'mount errors name the call'() {
    assert.throws(() => mount('none', '/nowhere', 'tmpfs', MS.NOSUID), {
      name: 'ErrnoError',
      code: 'ENOENT',
      call: 'mount none on /nowhere',
    });
  },

  'mountinfo with escapes and optional fields'() {
    const line =
      '36 35 98:0 /m\\040nt /a\\011b\\134 rw,noatime shared:1 master:2 - ext3 /dev/r\\040t rw,errors=continue';
    assert.deepEqual(parseMountInfo(`${line}\n37 36 0:1 / /x ro - proc proc rw\n`), [
      {
        id: 36,
        parent: 35,
        device: '98:0',
        root: '/m nt',
        target: '/a\tb\\',
        options: 'rw,noatime',
        propagation: ['shared:1', 'master:2'],
        fstype: 'ext3',
        source: '/dev/r t',
        superOptions: 'rw,errors=continue',
      },
      {
        id: 37,
        parent: 36,
        device: '0:1',
        root: '/',
        target: '/x',
        options: 'ro',
        propagation: [],
        fstype: 'proc',
        source: 'proc',
        superOptions: 'rw',
      },
    ]);
  },
});
