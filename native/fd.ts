import { constants, writeSync } from 'node:fs';
import { E, ErrnoError } from './errno.ts';
import { bind, bindInPool, check, lastErrno } from './libc.ts';

/** Flags of open(2). */
export const O = {
  RDONLY: constants.O_RDONLY,
  WRONLY: constants.O_WRONLY,
  RDWR: constants.O_RDWR,
  CREAT: constants.O_CREAT,
  EXCL: constants.O_EXCL,
  NOCTTY: constants.O_NOCTTY,
  TRUNC: constants.O_TRUNC,
  APPEND: constants.O_APPEND,
  NONBLOCK: constants.O_NONBLOCK,
  DIRECTORY: constants.O_DIRECTORY,
  NOFOLLOW: constants.O_NOFOLLOW,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  TMPFILE: 0o20200000,
} as const;

const close = bind<[number]>('int close(int fd)');
const open = bind<[string, number, number]>('int open(const char *path, int flags, unsigned int mode)');
const pipe = bind<[number[], number]>('int pipe2(_Out_ int *fds, int flags)');
const pair = bind<[number, number, number, number[]]>(
  'int socketpair(int domain, int type, int protocol, _Out_ int *fds)',
);
const memfdCreate = bind<[string, number]>('int memfd_create(const char *name, unsigned int flags)');

const FCNTL = 'int fcntl(int fd, int command, int argument)';
const fcntl = bind<[number, number, number]>(FCNTL);
const fcntlInPool = bindInPool<[number, number, number]>(FCNTL);
const ioctlInt = bind<[number, number, number[]]>(
  'int ioctl(int fd, unsigned long request, _Out_ int *value)',
);
const poll = bind<[Buffer, number, number]>('int poll(void *fds, unsigned long count, int timeout)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_DUPFD_CLOEXEC = 1030;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const F_ADD_SEALS = 1033;
const F_SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8 };
const POLLIN = 1;
const FIONREAD = 0x541b;

/** Closes a file descriptor. Throws EBADF when it is none: that is always a mistake of the caller. */
export function closeFd(fd: number): void {
  check(`close ${fd}`, close(fd));
}

/**
 * Makes this process' table of descriptors large enough for `count`, on a thread of Node's pool. A table that grows when
 * the next descriptor needs it keeps that call waiting for all processors, some tens of milliseconds on a busy node
 * (fs/file.c, expand_fdtable). Where the limit of descriptors is lower, the table stays as it is.
 */
export async function makeRoomForFds(count: number): Promise<void> {
  const fd = await fcntlInPool(0, F_DUPFD_CLOEXEC, count - 1);
  if (fd >= 0) closeFd(fd);
}

/** A pipe, close-on-exec unless `flags` say otherwise: [read end, write end]. */
export function pipe2(flags: number = O.CLOEXEC): [number, number] {
  const fds = [0, 0];
  check('pipe2', pipe(fds, flags));
  return [fds[0]!, fds[1]!];
}

/**
 * Gives a pipe room for so many bytes (F_SETPIPE_SZ, fcntl(2)): its two ends then wake each other less often. Where the
 * node's limits forbid it, it stays as it is.
 */
export function growPipe(fd: number, bytes: number): void {
  if (fcntl(fd, F_SETPIPE_SZ, bytes) >= 0) return;
  const errno = lastErrno();
  if (errno !== E.EPERM && errno !== E.EBUSY && errno !== E.ENOMEM)
    throw new ErrnoError(`fcntl F_SETPIPE_SZ ${fd}`, errno);
}

/** A connected pair of unix stream sockets, close-on-exec. */
export function socketpair(): [number, number] {
  const fds = [0, 0];
  check('socketpair', pair(AF_UNIX, SOCK_STREAM | O.CLOEXEC, 0, fds));
  return [fds[0]!, fds[1]!];
}

/** Reads and writes of it, and of every copy of it, no longer wait (O_NONBLOCK, fcntl(2)). */
export function setNonBlocking(fd: number): void {
  check(`fcntl ${fd}`, fcntl(fd, F_SETFL, check(`fcntl ${fd}`, fcntl(fd, F_GETFL, 0)) | O.NONBLOCK));
}

/** How many bytes stand in a pipe or socket, unread (FIONREAD, ioctl_tty(2)). */
export function pendingBytes(fd: number): number {
  const value = [0];
  check(`ioctl FIONREAD ${fd}`, ioctlInt(fd, FIONREAD, value));
  return value[0]!;
}

/** An anonymous file in memory, close-on-exec. */
export function memfd(name: string): number {
  return check('memfd_create', memfdCreate(name, MFD_CLOEXEC));
}

/**
 * A program in memory, close-on-exec: its bytes can be executed (through /proc/<pid>/fd) and never be changed again
 * (memfd_create(2), F_ADD_SEALS of fcntl(2)). Throws EACCES where the sysctl vm.memfd_noexec forbids that.
 */
export function sealedProgram(name: string, bytes: Uint8Array): number {
  return sealed(programFile(name), bytes);
}

/** A file in memory, close-on-exec, whose bytes can never be changed again (memfd_create(2)). */
export function sealedFile(name: string, bytes: Uint8Array): number {
  return sealed(check('memfd_create', memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)), bytes);
}

function sealed(fd: number, bytes: Uint8Array): number {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    const seals = F_SEAL.SEAL | F_SEAL.SHRINK | F_SEAL.GROW | F_SEAL.WRITE;
    check('fcntl F_ADD_SEALS', fcntl(fd, F_ADD_SEALS, seals));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function programFile(name: string): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const fd = memfdCreate(name, flags | MFD_EXEC);
  // Before Linux 6.3 there was no flag for that, and every file in memory could be executed.
  if (fd < 0 && lastErrno() === E.EINVAL) return check('memfd_create', memfdCreate(name, flags));
  return check('memfd_create', fd);
}

/** open(2) with O_CLOEXEC added; for flags that Node's fs does not offer, and for threads in other namespaces. */
export function openPath(path: string, flags: number, mode = 0): number {
  return check(`open ${path}`, open(path, flags | O.CLOEXEC, mode));
}

/** Blocks this thread until the file descriptor can be read or its writers are gone. False: the time is over. */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  // struct pollfd: int fd, short events, short revents.
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(fd, 0);
  entry.writeInt16LE(POLLIN, 4);
  for (;;) {
    const ready = poll(entry, 1, timeoutMs);
    if (ready >= 0) return ready > 0;
    const errno = lastErrno();
    if (errno !== E.EINTR) throw new ErrnoError(`poll ${fd}`, errno);
  }
}

/** A file descriptor with an owner: closed once, at the end of a `using` block or by `close()`. */
export class OwnedFd implements Disposable {
  readonly fd: number;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Closes it. Again: does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
