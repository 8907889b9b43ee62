import { Limit } from '../ground/limit.ts';
import { E, ErrnoError } from './errno.ts';
import { O, OwnedFd } from './fd.ts';
import { bind, bindInPool, check } from './libc.ts';
import { align4, attributes, textOf, u32 } from './netlink-attributes.ts';
import type { NfMessage } from './nftables-messages.ts';

/**
 * nf_tables through netlink (linux/netfilter/nf_tables.h, nfnetlink.h), in the network namespace of the calling thread.
 * The kernel takes a batch as one transaction: all of it or nothing.
 */

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
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NLM_F = { REQUEST: 1, ACK: 4, DUMP_INTR: 0x10, CAPPED: 0x100, ACK_TLVS: 0x200, DUMP: 0x300 };
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const NFNL_BATCH_BEGIN = 0x10;
const NFNL_BATCH_END = 0x11;
const SUBSYSTEM = 10;
/** Message header and struct nfgenmsg. */
const HEADER = 16;
const HEAD = HEADER + 4;
const MSG_GETGEN = 16;
const GEN_ID = 1;

const RECEIVE_SIZE = 64 * 1024;
/** A batch is one datagram: the rules of some 50,000 host ports. */
const SEND_BUFFER = 16 << 20;
const RECEIVE_TIMEOUT_S = 5n;
const DUMP_TRIES = 10;

/** The kernel has one lock for all transactions: more at once would only hold more threads. */
const POOL = new Limit(1);

/** A socket that speaks nf_tables to the network namespace in which its thread was when it was made. */
export class NfTables implements Disposable {
  readonly #questions = open();
  /** Of its own: a question that is asked while a transaction runs must not take the answer to that. */
  readonly #commits = open();
  #sequence = 0;

  /**
   * One transaction. The kernel works on a thread of Node's pool: whoever commits waits while another program does.
   * Rejects with the ErrnoError of the first message that failed, named by it; nothing was changed then.
   */
  async commit(messages: readonly NfMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await POOL.run(async () => {
      const begin = ++this.#sequence;
      const parts = [head(NFNL_BATCH_BEGIN, 0, begin, 0, SUBSYSTEM)];
      for (const [index, message] of messages.entries()) {
        // The answer to the last one comes after all failures.
        const flags = message.flags | (index === messages.length - 1 ? NLM_F.ACK : 0);
        const type = (SUBSYSTEM << 8) | message.type;
        parts.push(head(type, flags, ++this.#sequence, message.body.length, 0, message.family), message.body);
      }
      const last = this.#sequence;
      parts.push(head(NFNL_BATCH_END, 0, ++this.#sequence, 0, SUBSYSTEM));
      const datagram = Buffer.concat(parts);
      const sent = await sendInPool(this.#commits.fd, datagram, datagram.length, 0);
      if (sent < 0) throw new ErrnoError(`send ${messages[0]!.name}`, E.EIO);
      this.#answers(messages, begin, last);
    });
  }

  /** All objects of a kind: the attributes of each. `type` is one of the GET messages. */
  dump(name: string, type: number, family: number, body: Buffer = Buffer.alloc(0)): NfObject[] {
    for (let tries = 1; ; tries++) {
      const sequence = ++this.#sequence;
      const flags = NLM_F.DUMP;
      this.#send(name, head((SUBSYSTEM << 8) | type, flags, sequence, body.length, 0, family), body);
      const objects: NfObject[] = [];
      let interrupted = false;
      for (let done = false; !done;)
        for (const answer of receive(this.#questions, name)) {
          if (answer.sequence !== sequence) continue;
          if ((answer.flags & NLM_F.DUMP_INTR) !== 0) interrupted = true;
          if (answer.type === NLMSG_DONE) done = true;
          else if (answer.type === NLMSG_ERROR)
            throw failureOf(name, answer) ?? new ErrnoError(name, E.EPROTO);
          else
            objects.push({
              family: answer.body[0]!,
              attributes: attributes(Buffer.from(answer.body.subarray(4))),
            });
        }
      if (!interrupted) return objects;
      if (tries === DUMP_TRIES) throw new ErrnoError(name, E.EAGAIN, 'the rules change all the time');
    }
  }

  /** What is asked for by name or key: undefined when it is not there. */
  get(name: string, type: number, family: number, body: Buffer): NfObject | undefined {
    const sequence = ++this.#sequence;
    this.#send(name, head((SUBSYSTEM << 8) | type, NLM_F.ACK, sequence, body.length, 0, family), body);
    let found: NfObject | undefined;
    for (;;)
      for (const answer of receive(this.#questions, name)) {
        if (answer.sequence !== sequence) continue;
        if (answer.type !== NLMSG_ERROR) {
          found = { family: answer.body[0]!, attributes: attributes(Buffer.from(answer.body.subarray(4))) };
          continue;
        }
        const failure = failureOf(name, answer);
        if (failure === undefined || failure.errno === E.ENOENT) return found;
        throw failure;
      }
  }

  /** A number that each transaction of anybody in the namespace raises. Throws ErrnoError without nf_tables. */
  generation(): number {
    const sequence = ++this.#sequence;
    this.#send('get generation', head((SUBSYSTEM << 8) | MSG_GETGEN, 0, sequence, 0, 0));
    for (;;)
      for (const answer of receive(this.#questions, 'get generation')) {
        if (answer.sequence !== sequence) continue;
        if (answer.type === NLMSG_ERROR)
          throw failureOf('get generation', answer) ?? new ErrnoError('get generation', E.EPROTO);
        return attributes(answer.body.subarray(4)).get(GEN_ID)?.readUInt32BE(0) ?? 0;
      }
  }

  close(): void {
    this.#questions.close();
    this.#commits.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #answers(messages: readonly NfMessage[], begin: number, last: number): void {
    let failure: ErrnoError | undefined;
    for (;;)
      for (const answer of receive(this.#commits, messages[0]!.name)) {
        if (answer.type !== NLMSG_ERROR || answer.sequence < begin) continue;
        const asked = messages[answer.sequence - begin - 1];
        // Without a message of its own: the whole was refused.
        failure ??= failureOf(asked?.name ?? 'commit rules', answer);
        if (answer.sequence !== last && asked !== undefined) continue;
        if (failure !== undefined) throw failure;
        return;
      }
  }

  #send(name: string, ...parts: Buffer[]): void {
    const datagram = Buffer.concat(parts);
    check(`send ${name}`, send(this.#questions.fd, datagram, datagram.length, 0));
  }
}

/** What a dump gives. */
export interface NfObject {
  /** NFPROTO_*. */
  family: number;
  attributes: Map<number, Buffer>;
}

interface Answer {
  type: number;
  flags: number;
  sequence: number;
  body: Buffer;
}

function open(): OwnedFd {
  using undo = new DisposableStack();
  const opened = undo.use(
    new OwnedFd(check('socket netfilter', socket(AF_NETLINK, SOCK_RAW | O.CLOEXEC, NETLINK_NETFILTER))),
  );
  const option = (level: number, name: number, value: Buffer): unknown =>
    check(`setsockopt netfilter ${name}`, setsockopt(opened.fd, level, name, value, value.length));
  const timeout = Buffer.alloc(16);
  timeout.writeBigInt64LE(RECEIVE_TIMEOUT_S);
  option(SOL_SOCKET, SO_RCVTIMEO, timeout);
  option(SOL_SOCKET, SO_SNDBUFFORCE, u32(SEND_BUFFER));
  option(SOL_NETLINK, NETLINK_CAP_ACK, u32(1));
  option(SOL_NETLINK, NETLINK_EXT_ACK, u32(1));
  undo.move();
  return opened;
}

function receive(from: OwnedFd, name: string): Answer[] {
  const buffer = Buffer.alloc(RECEIVE_SIZE);
  const size = check(`receive ${name}`, recv(from.fd, buffer, buffer.length, 0));
  const answers: Answer[] = [];
  for (let at = 0; at + HEADER <= size;) {
    const length = buffer.readUInt32LE(at);
    if (length < HEADER) break;
    answers.push({
      type: buffer.readUInt16LE(at + 4),
      flags: buffer.readUInt16LE(at + 6),
      sequence: buffer.readUInt32LE(at + 8),
      body: buffer.subarray(at + HEADER, at + length),
    });
    at += align4(length);
  }
  return answers;
}

function head(
  type: number,
  flags: number,
  sequence: number,
  bodyLength: number,
  resource: number,
  family = 0,
): Buffer {
  const bytes = Buffer.alloc(HEAD);
  bytes.writeUInt32LE(HEAD + bodyLength, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags | NLM_F.REQUEST, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeUInt8(family, 16);
  bytes.writeUInt16BE(resource, 18);
  return bytes;
}

/** What an NLMSG_ERROR says: nothing when it is an acknowledgement. */
function failureOf(call: string, answer: Answer): ErrnoError | undefined {
  const errno = -answer.body.readInt32LE(0);
  if (errno === 0) return undefined;
  const echoed = (answer.flags & NLM_F.CAPPED) !== 0 ? HEADER : align4(answer.body.readUInt32LE(4));
  const told = (answer.flags & NLM_F.ACK_TLVS) !== 0;
  const said = told ? textOf(attributes(answer.body.subarray(4 + echoed)).get(NLMSGERR_ATTR_MSG)) : '';
  return new ErrnoError(call, errno, said);
}
