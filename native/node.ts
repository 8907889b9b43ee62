import { statfsSync } from 'node:fs';
import { AT_FDCWD, bind, cString, check, show, type Bytes } from './libc.ts';

const mknod2 = bind<[Buffer, number, number]>(
  'int mknod(const void *path, unsigned int mode, unsigned long device)',
);
const utimensat = bind<[number, Buffer, Buffer, number]>(
  'int utimensat(int dir, const void *path, const void *times, int flags)',
);

const AT_SYMLINK_NOFOLLOW = 0x100;
const BILLION = 1_000_000_000n;

/** Makes a device, pipe or socket node; `mode` holds its type (S_IFCHR, S_IFBLK, S_IFIFO) and permissions. */
export function mknod(path: Bytes, mode: number, device: number): void {
  check(`mknod ${show(path)}`, mknod2(cString(path), mode, device));
}

/** A device number as stat(2) and mknod(2) know it (makedev(3)). */
export function makedev(major: number, minor: number): number {
  const wide =
    (BigInt(major & 0xfff) << 8n) |
    (BigInt(major & ~0xfff) << 32n) |
    BigInt(minor & 0xff) |
    (BigInt(minor & ~0xff) << 12n);
  return Number(wide);
}

/** Sets both times of a file, in nanoseconds since the epoch, without following a symbolic link. */
export function lutimesNs(path: Bytes, atimeNs: bigint, mtimeNs: bigint): void {
  // Two struct timespec: seconds (rounded towards the past) and nanoseconds.
  const times = Buffer.alloc(32);
  for (const [at, ns] of [atimeNs, mtimeNs].entries()) {
    const rest = ((ns % BILLION) + BILLION) % BILLION;
    times.writeBigInt64LE((ns - rest) / BILLION, at * 16);
    times.writeBigInt64LE(rest, at * 16 + 8);
  }
  check(`utimensat ${show(path)}`, utimensat(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW));
}

/** A file system as statfs(2) tells of it. Sizes in bytes. */
export interface FileSystem {
  type: number;
  totalBytes: number;
  freeBytes: number;
  /** Free for unprivileged users. */
  availableBytes: number;
  totalInodes: number;
  freeInodes: number;
}

/** statfs(2). It can hang on a dead network mount: only for paths of our own. */
export function statfs(path: string): FileSystem {
  const found = statfsSync(path);
  return {
    type: found.type,
    totalBytes: found.blocks * found.bsize,
    freeBytes: found.bfree * found.bsize,
    availableBytes: found.bavail * found.bsize,
    totalInodes: found.files,
    freeInodes: found.ffree,
  };
}
