import { E, ErrnoError } from './errno.ts';
import { closeFd, O } from './fd.ts';
import { addressOf, bind, check, lastErrno } from './libc.ts';

const socket = bind<[number, number, number]>('int socket(int domain, int type, int protocol)');
const sendMessage = bind<[number, Buffer, number]>('long sendmsg(int fd, const void *message, int flags)');

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sockaddr_un.sun_path (unix(7)): 108 bytes, for a path with the NUL at its end, for an abstract name with one before. */
const MAX_NAME = 107;
/** struct msghdr: name, its size, vector, its length, control, its size, flags. */
const MSGHDR_SIZE = 56;
/** struct cmsghdr (u64 size, int level, int type) and one descriptor, padded. */
const CONTROL_SIZE = 24;
const CONTROL_LENGTH = 20;

/**
 * A unix datagram socket that only sends, as sd_notify(3) and the journal's protocol need it: libuv offers none.
 * Close-on-exec; sending never waits.
 */
export class DatagramSender implements Disposable {
  readonly #address: Buffer;
  readonly #name: string;
  readonly #fd: number;
  #open = true;

  /** `address` is a path, or the name of an abstract socket behind a `@`. Throws EINVAL when the kernel has no such address. */
  constructor(address: string) {
    this.#name = address;
    this.#address = socketAddress(address);
    this.#fd = check('socket', socket(AF_UNIX, SOCK_DGRAM | O.NONBLOCK | O.CLOEXEC, 0));
  }

  /**
   * Sends one message, with a descriptor along when one is given. False: the receiver's queue is full (EAGAIN). Throws
   * ErrnoError: ENOENT and ECONNREFUSED when nobody listens, EMSGSIZE and ENOBUFS when it is too large.
   */
  send(bytes: Uint8Array, fd?: number): boolean {
    const vector = Buffer.alloc(16);
    vector.writeBigUInt64LE(bytes.length === 0 ? 0n : addressOf(bytes), 0);
    vector.writeBigUInt64LE(BigInt(bytes.length), 8);
    const header = Buffer.alloc(MSGHDR_SIZE);
    header.writeBigUInt64LE(addressOf(this.#address), 0);
    header.writeUInt32LE(this.#address.length, 8);
    header.writeBigUInt64LE(addressOf(vector), 16);
    header.writeBigUInt64LE(1n, 24);
    const control = fd === undefined ? undefined : rights(fd);
    if (control !== undefined) {
      header.writeBigUInt64LE(addressOf(control), 32);
      header.writeBigUInt64LE(BigInt(control.length), 40);
    }
    for (;;) {
      if (sendMessage(this.#fd, header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
      const errno = lastErrno();
      if (errno === E.EAGAIN) return false;
      if (errno !== E.EINTR) throw new ErrnoError(`send to ${this.#name}`, errno);
    }
  }

  /** Again: does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function rights(fd: number): Buffer {
  const control = Buffer.alloc(CONTROL_SIZE);
  control.writeBigUInt64LE(BigInt(CONTROL_LENGTH), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, 16);
  return control;
}

/** An abstract name ends where the address ends; a path with its NUL. */
function socketAddress(address: string): Buffer {
  const name = Buffer.from(address);
  const abstract = address.startsWith('@') && name.length > 1;
  if (!abstract && !address.startsWith('/'))
    throw new ErrnoError(`unix socket ${JSON.stringify(address)}`, E.EINVAL, 'neither a path nor an @name');
  if (name.length > MAX_NAME || name.includes(0))
    throw new ErrnoError(`unix socket ${JSON.stringify(address)}`, E.EINVAL, 'its name is too long');
  const buffer = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  buffer.writeUInt16LE(AF_UNIX, 0);
  name.copy(buffer, 2);
  if (abstract) buffer[2] = 0;
  return buffer;
}
