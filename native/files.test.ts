import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { Fault } from '../ground/fault.ts';
import { E, ErrnoError, isErrno } from './errno.ts';
import { closeFd, O, OwnedFd, openPath, socketpair } from './fd.ts';
import { lutimesNs, makedev, mknod, statfs } from './node.ts';
import { openIn, readFileIn } from './openat2.ts';
import { openPty } from './pty.ts';
import { fgetxattr, flistxattr, fsetxattr, lgetxattr, llistxattr, lremovexattr, lsetxattr } from './xattr.ts';

describe('files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(`${tmpdir()}/native-`);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('opens nothing outside of the root', () => {
    const root = `${directory}/root`;
    mkdirSync(`${root}/etc`, { recursive: true });
    writeFileSync(`${directory}/secret`, 'secret');
    writeFileSync(`${root}/etc/passwd`, 'inside');
    symlinkSync('/etc', `${root}/abs`);
    symlinkSync('../../../../secret', `${root}/out`);
    symlinkSync('/proc/self/root/etc/passwd', `${root}/magic`);
    symlinkSync('loop', `${root}/loop`);
    assert.equal(readFileIn(root, '/abs/passwd', 100)?.toString(), 'inside');
    assert.equal(readFileIn(root, '../../etc/passwd', 100)?.toString(), 'inside');
    for (const path of ['out', 'magic', 'loop', 'etc', 'none', 'etc/passwd/x'])
      assert.equal(readFileIn(root, path, 100), undefined, path);
    const fd = openIn(root, '/etc/new', O.CREAT | O.WRONLY, 0o600);
    writeSync(fd, 'x');
    closeFd(fd);
    assert.equal(statSync(`${root}/etc/new`).mode & 0o777, 0o600);
    assert.throws(() => openIn(root, 'none', O.RDONLY), { code: 'ENOENT' });
  });

  it('reads no more than allowed, no pipe and no device', () => {
    truncateSync(openPathOf(`${directory}/huge`), 1 << 30);
    assert.throws(
      () => readFileIn(directory, 'huge', 1 << 20),
      (error) => error instanceof Fault && error.kind === 'invalid',
    );
    writeFileSync(`${directory}/exact`, Buffer.alloc(100));
    assert.equal(readFileIn(directory, 'exact', 100)?.length, 100);
    assert.throws(() => readFileIn(directory, 'exact', 99), Fault);
    mknod(`${directory}/pipe`, 0o010600, 0);
    assert.equal(readFileIn(directory, 'pipe', 100), undefined);
    // Files of /proc say that they are empty.
    assert.ok(readFileIn('/proc', 'self/mountinfo', 1 << 20)!.length > 10);
  });

  it('keeps attributes as bytes', () => {
    const file = `${directory}/é`;
    writeFileSync(file, '');
    const large = Buffer.alloc(3000, 0xfe);
    lsetxattr(file, 'user.a', Buffer.from([0, 255]));
    lsetxattr(Buffer.from(file), 'user.large', large);
    assert.deepEqual(lgetxattr(file, 'user.a'), Buffer.from([0, 255]));
    assert.deepEqual(lgetxattr(file, 'user.large'), large);
    assert.equal(lgetxattr(file, 'user.none'), undefined);
    assert.deepEqual(llistxattr(file).sort(), ['user.a', 'user.large']);
    lremovexattr(file, 'user.large');
    using fd = new OwnedFd(openPath(file, O.RDWR));
    fsetxattr(fd.fd, 'user.b', Buffer.alloc(0));
    assert.deepEqual(fgetxattr(fd.fd, 'user.b'), Buffer.alloc(0));
    assert.deepEqual(flistxattr(fd.fd).sort(), ['user.a', 'user.b']);
    assert.throws(() => lsetxattr(`${directory}/none`, 'user.a', Buffer.alloc(0)), { code: 'ENOENT' });
  });

  it('makes nodes and sets times', () => {
    const node = `${directory}/node`;
    mknod(node, 0o020600, makedev(1, 3));
    assert.equal(statSync(node).rdev, makedev(1, 3));
    assert.equal(makedev(0xabcde, 0x12345), 0xab000000 * 2 ** 20 + 0x123cde45 - 0);
    symlinkSync('nowhere', `${directory}/link`);
    lutimesNs(`${directory}/link`, 1_500_000_000_123_456_789n, -1n);
    lutimesNs(node, 5n, 1_600_000_000_000_000_001n);
    const { mtimeNs, atimeNs } = statSync(node, { bigint: true });
    assert.deepEqual([atimeNs, mtimeNs], [5n, 1_600_000_000_000_000_001n]);
    assert.ok(statfs(directory).totalBytes > 0);
  });

  it('opens terminals and pairs', () => {
    const { master, slavePath } = openPty();
    const slave = openPath(slavePath, O.RDWR | O.NOCTTY);
    writeSync(slave, 'hi\n');
    const buffer = Buffer.alloc(10);
    assert.equal(buffer.toString('utf8', 0, readSync(master, buffer)), 'hi\r\n');
    closeFd(slave);
    closeFd(master);
    const [one, two] = socketpair();
    writeSync(one, 'x');
    assert.equal(readSync(two, buffer), 1);
    closeFd(one);
    closeFd(two);
  });

  it('owns file descriptors once', () => {
    const owned = new OwnedFd(openPath('/dev/null', O.RDONLY));
    owned.close();
    owned.close();
    assert.throws(() => closeFd(owned.fd), { code: 'EBADF' });
    assert.throws(() => openPath('/etc/passwd\0x', O.RDONLY), { code: 'EINVAL' });
  });

  it('knows errors by name', () => {
    const error = new ErrnoError('mount x', E.EBUSY, 'words');
    assert.equal(error.message, 'mount x: EBUSY: resource busy or locked (words)');
    assert.ok(isErrno(error, 'ENOENT', 'EBUSY'));
    assert.equal(isErrno(new Error('x'), 'EBUSY'), false);
    assert.equal(new ErrnoError('x', 4000).code, 'E4000');
  });
});

function openPathOf(path: string): string {
  closeSync(openPath(path, O.CREAT | O.WRONLY, 0o600));
  return path;
}
