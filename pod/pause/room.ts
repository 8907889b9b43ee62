import { rmSync, writeFileSync } from 'node:fs';
import { isErrno } from '../../native/errno.ts';
import { O, openPath, OwnedFd } from '../../native/fd.ts';
import { attachMount, FsContext, MOUNT_ATTR, setMountAttributes } from '../../native/mount-api.ts';
import { makePrivate, pivotInto } from '../../native/mount.ts';
import { CLONE, setns, unshare } from '../../native/namespaces.ts';
import { mknod, makedev } from '../../native/node.ts';
import { pauseProgram } from './build.ts';
import { PAUSE_NAME } from './name.ts';

/** Where every pause lives. */
export interface PauseRoom {
  /** A mount namespace with one read-only mount, whose root holds the pause program and nothing else. */
  namespace: number;
  /** A null device for pause's standard streams, of a file system of the room's own. */
  devNull: number;
}

const S_IFCHR = 0o020000;
const WRITER_PATIENCE_MS = 5000;
/** A directory that every node has; the room's root hangs over it for a moment, in a namespace of its own. */
const SCAFFOLD = '/proc';

/**
 * Makes the room on the calling thread, which is back in its own mount namespace (`home`) when this returns; its root
 * and current directory are from then on its own. A pause gets a copy of the room's namespace: copying one mount is
 * cheap, and a pause that never saw the node's mounts keeps none of them busy. That is also why /dev/null is not
 * the node's: an open file keeps the mount busy that it was opened through.
 */
export function makePauseRoom(home: number): PauseRoom {
  unshare(CLONE.FS);
  using undo = new DisposableStack();
  using context = new FsContext('tmpfs', 'mount tmpfs for pause');
  for (const [key, value] of Object.entries({ source: PAUSE_NAME, mode: '0555', size: '64k' }))
    context.set(key, value);
  using tree = context.mount(MOUNT_ATTR.NOSUID);
  const inside = `/proc/thread-self/fd/${tree.fd}`;
  writeFileSync(`${inside}/${PAUSE_NAME}`, pauseProgram(), { mode: 0o555 });
  const devNull = openNull(`${inside}/null`);
  undo.use(new OwnedFd(devNull));
  makeReadOnly(tree.fd, MOUNT_ATTR.NODEV);

  unshare(CLONE.NEWNS);
  undo.defer(() => setns(home, CLONE.NEWNS));
  const namespace = openPath('/proc/thread-self/ns/mnt', O.RDONLY);
  undo.use(new OwnedFd(namespace));
  makePrivate('/');
  attachMount(tree.fd, SCAFFOLD);
  pivotInto(SCAFFOLD);
  undo.move();
  setns(home, CLONE.NEWNS);
  return { namespace, devNull };
}

/**
 * Makes a mount read-only, with these attributes more. What this process wrote through it is closed, but a child that
 * another thread spawns at that moment has a copy of the descriptor until it executes its program (fork(2)): the kernel
 * says EBUSY for so long.
 */
export function makeReadOnly(tree: number, attributes = 0): void {
  const moment = new Int32Array(new SharedArrayBuffer(4));
  for (const begun = performance.now(); ; Atomics.wait(moment, 0, 0, 1))
    try {
      return setMountAttributes(tree, MOUNT_ATTR.RDONLY | attributes);
    } catch (error) {
      if (!isErrno(error, 'EBUSY') || performance.now() - begun > WRITER_PATIENCE_MS) throw error;
    }
}

function openNull(path: string): number {
  mknod(path, S_IFCHR | 0o666, makedev(1, 3));
  const fd = openPath(path, O.RDWR);
  rmSync(path);
  return fd;
}
