import { E, ErrnoError } from './errno.ts';
import { openPath, O, OwnedFd } from './fd.ts';
import { bind, bindInPool, check, lastErrno } from './libc.ts';

export { mounts, type MountInfo } from './mountinfo.ts';
export { mountOverlay, type OverlayOptions } from './overlay.ts';

/** Flags of mount(2). */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  NOSYMFOLLOW: 256,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

/** Flags of umount2(2). */
export const MNT = { FORCE: 1, DETACH: 2, EXPIRE: 4, NOFOLLOW: 8 } as const;

const SYS_PIVOT_ROOT = 155;

const mount2 = bind<[string | null, string, string | null, number, string | null]>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const UMOUNT2 = 'int umount2(const char *target, int flags)';
const umount2 = bind<[string, number]>(UMOUNT2);
const umount2InPool = bindInPool<[string, number]>(UMOUNT2);
const pivot = bind<[number, string, string]>('long syscall(long number, const char *root, const char *old)');
const chdir = bind<[string]>('int chdir(const char *path)');
const sync = bind<[number]>('int syncfs(int fd)');

/** mount(2). */
export function mount(
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  check(`mount ${source ?? type ?? ''} on ${target}`, mount2(source, target, type, flags, data));
}

/**
 * Takes the topmost mount off `target`, even while it is in use (MNT_DETACH). Symbolic links are not followed.
 * False: nothing was mounted there, or there is no such path.
 */
export function umount(target: string, flags: number = MNT.DETACH): boolean {
  if (umount2(target, flags | MNT.NOFOLLOW) === 0) return true;
  const errno = lastErrno();
  if (errno === E.EINVAL || errno === E.ENOENT) return false;
  throw new ErrnoError(`umount ${target}`, errno);
}

/**
 * The same on a thread of Node's pool: what unmounts a file system for the last time may wait for its disk, an overlay
 * for the deletion of what its container had deleted. Rejects as `umount` throws.
 */
export async function umountInPool(target: string): Promise<boolean> {
  if ((await umount2InPool(target, MNT.DETACH | MNT.NOFOLLOW)) === 0) return true;
  // Why it failed stayed on the other thread. Here it fails again, and at once.
  return umount(target);
}

/** pivot_root(2): the mount at `root` becomes `/` of this mount namespace, the old root appears at `old`. */
export function pivotRoot(root: string, old: string): void {
  check(`pivot_root ${root}`, pivot(SYS_PIVOT_ROOT, root, old));
}

/**
 * Makes the mount at `root` the root of this mount namespace, and takes all others out of it (pivot_root(2), the way
 * with one directory for both). The thread must have its root and current directory for itself (`CLONE.FS`).
 */
export function pivotInto(root: string): void {
  check(`chdir ${root}`, chdir(root));
  pivotRoot('.', '.');
  // The old root now lies on top of the new one, and `.` is the old one.
  check('umount old root', umount2('.', MNT.DETACH));
  check('chdir /', chdir('/'));
}

/** Makes `source` visible at `target` as well; with `recursive`, together with what is mounted below it. */
export function bindMount(source: string, target: string, recursive = false): void {
  mount(source, target, null, MS.BIND | (recursive ? MS.REC : 0));
}

/** mount_namespaces(7): `target` and all below it neither send nor receive mounts. */
export function makePrivate(target: string, recursive = true): void {
  mount(null, target, null, MS.PRIVATE | (recursive ? MS.REC : 0));
}

/** mount_namespaces(7): mounts made below `target` appear in its peers too. */
export function makeShared(target: string, recursive = true): void {
  mount(null, target, null, MS.SHARED | (recursive ? MS.REC : 0));
}

/** mount_namespaces(7): `target` receives mounts from its former peers and sends none. */
export function makeSlave(target: string, recursive = true): void {
  mount(null, target, null, MS.SLAVE | (recursive ? MS.REC : 0));
}

/** A tmpfs with the given data (`size=64m,mode=1777`) and flags. */
export function mountTmpfs(
  target: string,
  options = '',
  flags: number = MS.NOSUID | MS.NODEV | MS.NOEXEC,
): void {
  mount('tmpfs', target, 'tmpfs', flags, options === '' ? null : options);
}

/**
 * Writes out everything of the file system that holds this file. It can take seconds: call it where that does no harm.
 */
export function syncfs(file: number | string): void {
  if (typeof file === 'number') {
    check(`syncfs ${file}`, sync(file));
    return;
  }
  using fd = new OwnedFd(openPath(file, O.RDONLY));
  check(`syncfs ${file}`, sync(fd.fd));
}
