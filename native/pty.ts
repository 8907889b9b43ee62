import { readFileSync } from 'node:fs';
import { E, ErrnoError } from './errno.ts';
import { O, OwnedFd } from './fd.ts';
import { bind, check } from './libc.ts';

const openpt = bind<[number]>('int posix_openpt(int flags)');
const unlockpt = bind<[number]>('int unlockpt(int fd)');
const setSize = bind<[number, number, Buffer]>('int ioctl(int fd, unsigned long request, const void *size)');
const ptsname = bind<[number, Buffer, number]>('int ptsname_r(int fd, void *name, size_t size)');

const TIOCSWINSZ = 0x5414;

/** A new pseudo-terminal (pty(7)): its master, close-on-exec, and the path of its slave. */
export function openPty(): { master: number; slavePath: string } {
  using undo = new DisposableStack();
  const master = check('posix_openpt', openpt(O.RDWR | O.NOCTTY | O.CLOEXEC));
  undo.use(new OwnedFd(master));
  check('unlockpt', unlockpt(master));
  const name = Buffer.alloc(64);
  const errno = ptsname(master, name, name.length);
  if (errno !== 0) throw new ErrnoError('ptsname_r', errno === -1 ? E.ENOTTY : errno);
  const slavePath = name.toString('utf8', 0, name.indexOf(0));
  undo.move();
  return { master, slavePath };
}

/**
 * Sets the size of a terminal; its foreground processes hear SIGWINCH (TIOCSWINSZ, ioctl_tty(2)). Numbers that the
 * kernel has no room for become the largest that it has.
 */
export function resizePty(master: number, columns: number, rows: number): void {
  // struct winsize: u16 rows, columns, and two that nobody uses.
  const size = Buffer.alloc(8);
  size.writeUInt16LE(clamped(rows), 0);
  size.writeUInt16LE(clamped(columns), 2);
  check(`ioctl TIOCSWINSZ ${master}`, setSize(master, TIOCSWINSZ, size));
}

function clamped(number: number): number {
  return Math.min(Math.max(Math.trunc(number) || 0, 0), 0xffff);
}

/**
 * Whether a descriptor is the master of a pseudo-terminal. It asks the kernel about its own descriptor (proc(5),
 * fdinfo), never the file behind it: one that came out of a container may be on a file system that does not answer.
 */
export function isPtyMaster(fd: number): boolean {
  return /^tty-index:/m.test(readFileSync(`/proc/thread-self/fdinfo/${fd}`, 'latin1'));
}
