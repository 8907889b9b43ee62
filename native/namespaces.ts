import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { messageOf } from '../ground/fault.ts';
import { isErrno } from './errno.ts';
import { O, OwnedFd, openPath } from './fd.ts';
import { bind, check } from './libc.ts';
import { bindMount, umount } from './mount.ts';
import { LOOPBACK_INDEX, Rtnl, linkUp } from './netlink.ts';

/** Flags of unshare(2) and setns(2). A thread of several cannot unshare NEWUSER. */
export const CLONE = {
  NEWNS: 0x00020000,
  NEWCGROUP: 0x02000000,
  NEWUTS: 0x04000000,
  NEWIPC: 0x08000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
  /** Not a namespace: gives the thread a root and a current directory of its own, as NEWNS does too. */
  FS: 0x00000200,
} as const;

const NSFS_MAGIC = 0x6e736673;
const PR_SET_CHILD_SUBREAPER = 36;

const unshare2 = bind<[number]>('int unshare(int flags)');
const setns2 = bind<[number, number]>('int setns(int fd, int type)');
const hostname2 = bind<[Uint8Array, number]>('int sethostname(const void *name, size_t size)');
const prctl = bind<[number, number, number, number, number]>(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);

/** unshare(2): the calling thread, and no other, gets new namespaces. */
export function unshare(flags: number): void {
  check(`unshare 0x${flags.toString(16)}`, unshare2(flags));
}

/** setns(2): the calling thread joins the namespace. */
export function setns(fd: number, type: number): void {
  check(`setns 0x${type.toString(16)}`, setns2(fd, type));
}

/**
 * Does `work` on this thread, which `work` may move to other namespaces of the given kinds, and returns the thread
 * to its own. `work` must be synchronous, and must not be the first to use libuv's pool or koffi's: a thread is born
 * in the namespaces of the one that starts it, and would stay there. If the thread cannot return, the process ends: it would go on with its
 * hands in somebody else's house.
 */
export function returning<T>(kinds: readonly ('net' | 'mnt' | 'ipc' | 'uts' | 'pid')[], work: () => T): T {
  using own = new DisposableStack();
  // A stack is unwound in reverse order, so the file descriptors close after the last setns.
  for (const kind of kinds) {
    const fd = own.use(new OwnedFd(openPath(`/proc/thread-self/ns/${kind}`, O.RDONLY))).fd;
    own.defer(() => returnTo(kind, fd));
  }
  return work();
}

const TYPES = {
  net: CLONE.NEWNET,
  mnt: CLONE.NEWNS,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  pid: CLONE.NEWPID,
} as const;

/** Joins a namespace that the thread was in before; ends the process when that fails. */
export function returnTo(kind: keyof typeof TYPES, fd: number): void {
  try {
    setns(fd, TYPES[kind]);
  } catch (error) {
    writeSync(2, `A thread cannot return to its own ${kind} namespace: ${messageOf(error)}\n`);
    // process.abort is not there on worker threads.
    process.kill(process.pid, 'SIGABRT');
    throw error;
  }
}

/**
 * A new network namespace with its loopback up, pinned by a bind mount at `pin`, a file that is made when it is
 * missing. The calling thread is back in its own when this returns. Undo: `removePin`.
 */
export function makeNetns(pin: string): void {
  closeSync(openSync(pin, 'a', 0o444));
  using undo = new DisposableStack();
  undo.defer(() => removePin(pin));
  returning(['net'], () => {
    unshare(CLONE.NEWNET);
    using rtnl = new Rtnl();
    rtnl.exec([linkUp(LOOPBACK_INDEX)]);
    bindMount('/proc/thread-self/ns/net', pin);
  });
  undo.move();
}

/** Whether a namespace is mounted at this path. After a reboot a pin is a plain file. */
export function isNsfs(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Does synchronous `work` in a network namespace, given by path or file descriptor, and returns (see `returning`). */
export function inNetns<T>(namespace: string | number, work: () => T): T {
  using fd = typeof namespace === 'string' ? new OwnedFd(openPath(namespace, O.RDONLY)) : undefined;
  return returning(['net'], () => {
    setns(fd?.fd ?? (namespace as number), CLONE.NEWNET);
    return work();
  });
}

/** Takes the pin of a namespace away, mount and file. When nothing is there it does nothing. */
export function removePin(pin: string): void {
  while (umount(pin));
  rmSync(pin, { force: true });
}

/** Orphans of this process' descendants become its children, for `ExitWatcher.reapOrphans` (prctl(2)). */
export function setSubreaper(): void {
  check('prctl PR_SET_CHILD_SUBREAPER', prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

/** Names the host in the calling thread's uts namespace. At most 64 bytes. */
export function setHostname(name: string): void {
  const bytes = Buffer.from(name);
  check(`sethostname ${name}`, hostname2(bytes, bytes.length));
}
