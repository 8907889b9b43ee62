import { E, ErrnoError } from './errno.ts';
import { O, OwnedFd } from './fd.ts';
import { bind, check } from './libc.ts';

const openpt = bind<[number]>('int posix_openpt(int flags)');
const unlockpt = bind<[number]>('int unlockpt(int fd)');
const ptsname = bind<[number, Buffer, number]>('int ptsname_r(int fd, void *name, size_t size)');

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
