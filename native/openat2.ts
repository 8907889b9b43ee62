import { fstatSync, readSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import { E, ErrnoError, isErrno } from './errno.ts';
import { O, OwnedFd, openPath } from './fd.ts';
import { bind, cString, lastErrno, show, type Bytes } from './libc.ts';

const SYS_OPENAT2 = 437;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_IN_ROOT = 0x10;
/** openat2 gives EAGAIN when something was renamed or mounted meanwhile and it cannot tell whether `..` left the root. */
const TRIES = 32;

const openat2 = bind<[number, number, Buffer, Buffer, number]>(
  'long syscall(long number, int dir, const void *path, const void *how, size_t size)',
);

/**
 * Opens `path` as a process whose root directory is `root` would: neither `..` nor a symbolic link leads out of it
 * (openat2(2), RESOLVE_IN_ROOT), and links of /proc are not followed. Close-on-exec.
 */
export function openIn(root: string, path: string, flags: number, mode = 0): number {
  using directory = new OwnedFd(openPath(root, O.PATH | O.DIRECTORY));
  return resolve(directory.fd, path, { flags, mode, how: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }, root);
}

/**
 * Opens what lies at `path` below the open directory `root`, where no part of the path is a symbolic link or another
 * mount: for trees of our own making, in which such a part would be an intruder (ELOOP, EXDEV). Close-on-exec.
 */
export function openBelow(root: number, path: Bytes, flags: number): number {
  const how = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  return resolve(root, path, { flags, mode: 0, how }, `directory ${root}`);
}

function resolve(
  directory: number,
  path: Bytes,
  { flags, mode, how: resolution }: { flags: number; mode: number; how: number },
  root: string,
): number {
  // struct open_how: u64 flags, mode, resolve.
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O.CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolution), 16);
  const raw = cString(path);
  for (let tries = TRIES; ; tries--) {
    const fd = openat2(SYS_OPENAT2, directory, raw, how, how.length);
    if (fd >= 0) return fd;
    const errno = lastErrno();
    if (errno !== E.EAGAIN || tries === 0) throw new ErrnoError(`open ${show(path)} in ${root}`, errno);
  }
}

/**
 * The content of a regular file inside `root`. undefined when there is no such regular file (a directory, a device
 * or a pipe is none, and is not opened). Throws Fault `invalid` when it holds more than `maxBytes`.
 */
export function readFileIn(root: string, path: string, maxBytes: number): Buffer | undefined {
  let place: number;
  try {
    // O_PATH first: opening a pipe could block, opening a device could do anything.
    place = openIn(root, path, O.PATH);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
  using owned = new OwnedFd(place);
  if (!fstatSync(owned.fd).isFile()) return undefined;
  using file = new OwnedFd(openPath(`/proc/self/fd/${owned.fd}`, O.RDONLY));
  return readAll(file.fd, path, maxBytes);
}

function readAll(fd: number, path: string, maxBytes: number): Buffer {
  const expected = fstatSync(fd).size;
  // One byte more than expected shows that the file has grown.
  let buffer = Buffer.alloc(Math.min(expected, maxBytes) + 1);
  let size = 0;
  for (;;) {
    const got = readSync(fd, buffer, size, buffer.length - size, null);
    size += got;
    if (size > maxBytes) throw new Fault('invalid', `The file ${path} is larger than ${maxBytes} bytes`);
    if (got === 0) return buffer.subarray(0, size);
    if (size === buffer.length)
      buffer = Buffer.concat(
        [buffer, Buffer.alloc(buffer.length)],
        Math.min(buffer.length * 2, maxBytes + 1),
      );
  }
}
