import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Cpio } from './cpio.ts';

describe('an initial RAM disk', () => {
  it('is a cpio archive that others read: parents before their files, modes, links', () => {
    const archive = new Cpio();
    archive.file('init', 'one', 0o755);
    archive.file('a/b/c', Buffer.alloc(5, 'x'));
    archive.link('a/link', '/b/c');
    const input = archive.archive();
    const list = spawnSync('busybox', ['cpio', '-tv'], { input, encoding: 'utf8' });
    assert.equal(list.status, 0, list.stderr);
    const lines = list.stdout.split('\n').map((line) => line.split(/\s+/));
    const found = lines.filter((line) => line.length > 4).map((line) => [line[0], line.slice(5).join(' ')]);
    assert.deepEqual(found, [
      ['-rwxr-xr-x', 'init'],
      ['drwxr-xr-x', 'a'],
      ['drwxr-xr-x', 'a/b'],
      ['-rw-r--r--', 'a/b/c'],
      ['lrwxrwxrwx', 'a/link -> /b/c'],
    ]);
  });
});
