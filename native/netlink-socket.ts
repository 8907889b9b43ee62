import { E, ErrnoError } from './errno.ts';
import { O, OwnedFd } from './fd.ts';
import { bind, bindInPool, check } from './libc.ts';
import { align4, attributes, textOf, u32 } from './netlink-attributes.ts';

/** What all netlink protocols share (netlink(7), linux/netlink.h): sockets, message headers, acknowledgements. */

const socket = bind<[number, number, number]>('int socket(int domain, int type, int protocol)');
const setsockopt = bind<[number, number, number, Buffer, number]>(
  'int setsockopt(int fd, int level, int option, const void *value, unsigned int size)',
);
const send = bind<[number, Buffer, number, number]>(
  'long send(int fd, const void *bytes, size_t size, int flags)',
);
const sendInPool = bindInPool<[number, Buffer, number, number]>(
  'long send(int fd, const void *bytes, size_t size, int flags)',
);
const recv = bind<[number, Buffer, number, number]>('long recv(int fd, void *bytes, size_t size, int flags)');

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;
const NLMSGERR_ATTR_MSG = 1;
const RECEIVE_TIMEOUT_S = 5n;

export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;
export const NLM_F = {
  REQUEST: 1,
  ACK: 4,
  DUMP_INTR: 0x10,
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
  DUMP: 0x300,
} as const;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** struct nlmsghdr. */
export const NETLINK_HEADER = 16;
/** So often a dump is taken again that a change has interrupted. */
export const DUMP_TRIES = 10;

/** A message of the kernel. */
export interface NetlinkAnswer {
  type: number;
  flags: number;
  sequence: number;
  /** A view: read it before the next datagram comes. */
  body: Buffer;
}

/** A socket that speaks to the network namespace in which its thread was when it was made. */
export class NetlinkSocket implements Disposable {
  readonly #socket: OwnedFd;
  readonly #received: Buffer;

  /** `protocol` is one of NETLINK; `receives` bounds a datagram of the kernel, `sends` one of ours, in bytes. */
  constructor(protocol: number, { receives, sends }: { receives: number; sends?: number }) {
    using undo = new DisposableStack();
    const type = SOCK_RAW | O.CLOEXEC;
    this.#socket = undo.use(new OwnedFd(check('socket netlink', socket(AF_NETLINK, type, protocol))));
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(RECEIVE_TIMEOUT_S);
    this.#option(SOL_SOCKET, SO_RCVTIMEO, timeout);
    if (sends !== undefined) this.#option(SOL_SOCKET, SO_SNDBUFFORCE, u32(sends));
    this.#option(SOL_NETLINK, NETLINK_CAP_ACK, u32(1));
    this.#option(SOL_NETLINK, NETLINK_EXT_ACK, u32(1));
    this.#received = Buffer.alloc(receives);
    undo.move();
  }

  get fd(): number {
    return this.#socket.fd;
  }

  /** Sends one datagram; `call` names it in errors. The kernel works on it before this returns. */
  send(call: string, datagram: Buffer): void {
    check(`send ${call}`, send(this.fd, datagram, datagram.length, 0));
  }

  /** The same on a thread of Node's pool. */
  async sendInPool(call: string, datagram: Buffer): Promise<void> {
    if ((await sendInPool(this.fd, datagram, datagram.length, 0)) < 0)
      throw new ErrnoError(`send ${call}`, E.EIO);
  }

  /** The messages of the next datagram. Throws ErrnoError, EAGAIN when none comes within five seconds. */
  receive(call: string): NetlinkAnswer[] {
    const buffer = this.#received;
    const size = check(`receive ${call}`, recv(this.fd, buffer, buffer.length, MSG_TRUNC));
    if (size > buffer.length) throw new ErrnoError(call, E.EMSGSIZE);
    const answers: NetlinkAnswer[] = [];
    for (let at = 0; at + NETLINK_HEADER <= size;) {
      const length = buffer.readUInt32LE(at);
      if (length < NETLINK_HEADER) throw new ErrnoError(call, E.EPROTO);
      answers.push({
        type: buffer.readUInt16LE(at + 4),
        flags: buffer.readUInt16LE(at + 6),
        sequence: buffer.readUInt32LE(at + 8),
        body: buffer.subarray(at + NETLINK_HEADER, at + length),
      });
      at += align4(length);
    }
    return answers;
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #option(level: number, option: number, value: Buffer): void {
    check(`setsockopt netlink ${option}`, setsockopt(this.fd, level, option, value, value.length));
  }
}

/** The header of a request; `length` is that of what follows. */
export function netlinkHeader(type: number, flags: number, sequence: number, length: number): Buffer {
  const header = Buffer.alloc(NETLINK_HEADER);
  header.writeUInt32LE(NETLINK_HEADER + length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags | NLM_F.REQUEST, 6);
  header.writeUInt32LE(sequence, 8);
  return header;
}

/** What an NLMSG_ERROR says, with the kernel's own words when it has any: nothing when it is an acknowledgement. */
export function failureOf(call: string, answer: NetlinkAnswer): ErrnoError | undefined {
  const errno = -answer.body.readInt32LE(0);
  if (errno === 0) return undefined;
  let said = '';
  if ((answer.flags & NLM_F.ACK_TLVS) !== 0) {
    // Behind the error number stands the request, or with CAPPED only its header.
    const echoed = (answer.flags & NLM_F.CAPPED) !== 0 ? NETLINK_HEADER : align4(answer.body.readUInt32LE(4));
    said = textOf(attributes(answer.body.subarray(4 + echoed)).get(NLMSGERR_ATTR_MSG));
  }
  return new ErrnoError(call, errno, said);
}
