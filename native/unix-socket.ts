import { basename, dirname } from 'node:path';
import { E, ErrnoError } from './errno.ts';
import { closeFd, O, OwnedFd, openPath } from './fd.ts';
import { addressOf, bind, check, lastErrno } from './libc.ts';

/*
 * Unix sockets as libuv does not offer them (unix(7)): packets in sequence, and descriptors that are passed along.
 * All of them are non-blocking and close-on-exec.
 */

const socket = bind<[number, number, number]>('int socket(int domain, int type, int protocol)');
const bindTo = bind<[number, Buffer, number]>('int bind(int fd, const void *address, unsigned int size)');
const connectTo = bind<[number, Buffer, number]>(
  'int connect(int fd, const void *address, unsigned int size)',
);
const listen = bind<[number, number]>('int listen(int fd, int backlog)');
const accept = bind<[number, null, null, number]>(
  'int accept4(int fd, void *address, void *size, int flags)',
);
const receive = bind<[number, Buffer, number]>('long recvmsg(int fd, void *message, int flags)');
const shutdown = bind<[number, number]>('int shutdown(int fd, int how)');

const AF_UNIX = 1;
const TYPES = { stream: 1, seqpacket: 5 } as const;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_DONTWAIT = 0x40;
const SHUTDOWN = { read: 0, write: 1 } as const;
/** struct sockaddr_un: u16 family, 108 bytes of path. */
const ADDRESS_SIZE = 110;
const MAX_PATH = 107;
/** struct msghdr: name, size, vector, count, control, size, flags. */
const MSGHDR_SIZE = 56;
/** struct cmsghdr (u64 size, int level, int type) and one descriptor. */
const CONTROL_SIZE = 24;
const CONTROL_LENGTH = 20;
/** More than a runtime says beside its descriptor: the name of the terminal. */
const MESSAGE_SIZE = 4096;

/** A stream socket that listens at this path. Throws EINVAL for a path of more than 107 bytes. */
export function listenUnix(path: string): number {
  const fd = check('socket', socket(AF_UNIX, TYPES.stream | O.NONBLOCK | O.CLOEXEC, 0));
  try {
    check(`bind ${path}`, bindTo(fd, address(path), ADDRESS_SIZE));
    check(`listen ${path}`, listen(fd, 1));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** The next connection of a listening socket; undefined when there is none. */
export function acceptUnix(fd: number): number | undefined {
  const connection = accept(fd, null, null, O.NONBLOCK | O.CLOEXEC);
  if (connection < 0 && lastErrno() === E.EAGAIN) return undefined;
  return check(`accept ${fd}`, connection);
}

/** A socket of packets in sequence that is connected to this path, however long. Throws ENOENT, ECONNREFUSED, EAGAIN. */
export function connectPackets(path: string): number {
  using directory = new OwnedFd(openPath(dirname(path), O.PATH | O.DIRECTORY));
  const fd = check('socket', socket(AF_UNIX, TYPES.seqpacket | O.NONBLOCK | O.CLOEXEC, 0));
  const near = address(`/proc/self/fd/${directory.fd}/${basename(path)}`);
  try {
    check(`connect ${path}`, connectTo(fd, near, ADDRESS_SIZE));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Ends one direction of a connection (shutdown(2)); nothing when the other side has left. */
export function shutdownSocket(fd: number, direction: keyof typeof SHUTDOWN): void {
  if (shutdown(fd, SHUTDOWN[direction]) < 0 && lastErrno() !== E.ENOTCONN)
    throw new ErrnoError(`shutdown ${fd}`, lastErrno());
}

/** The descriptor that came along with the next message (SCM_RIGHTS), close-on-exec; undefined when none has come. */
export function receiveFd(fd: number): number | undefined {
  const message = Buffer.alloc(MESSAGE_SIZE);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(addressOf(message), 0);
  vector.writeBigUInt64LE(BigInt(message.length), 8);
  const control = Buffer.alloc(CONTROL_SIZE);
  const header = Buffer.alloc(MSGHDR_SIZE);
  header.writeBigUInt64LE(addressOf(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(addressOf(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  const size = receive(fd, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0 && lastErrno() === E.EAGAIN) return undefined;
  check(`recvmsg ${fd}`, size);
  const [length, level, type] = [control.readBigUInt64LE(0), control.readInt32LE(8), control.readInt32LE(12)];
  const passed = length === BigInt(CONTROL_LENGTH) && level === SOL_SOCKET && type === SCM_RIGHTS;
  return passed ? control.readInt32LE(16) : undefined;
}

function address(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > MAX_PATH)
    throw new ErrnoError(`unix socket ${path}`, E.EINVAL, `its path has more than ${MAX_PATH} bytes`);
  const buffer = Buffer.alloc(ADDRESS_SIZE);
  buffer.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(buffer, 2);
  return buffer;
}
