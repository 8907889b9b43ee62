import { Limit } from '../ground/limit.ts';
import { E, ErrnoError } from './errno.ts';
import { attributes } from './netlink-attributes.ts';
import {
  DUMP_TRIES,
  failureOf,
  NETLINK,
  netlinkHeader,
  NetlinkSocket,
  NLM_F,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink-socket.ts';
import type { NfMessage } from './nftables-messages.ts';

/**
 * nf_tables through netlink (linux/netfilter/nf_tables.h, nfnetlink.h), in the network namespace of the calling thread.
 * The kernel takes a batch as one transaction: all of it or nothing.
 */

const NFNL_BATCH_BEGIN = 0x10;
const NFNL_BATCH_END = 0x11;
const SUBSYSTEM = 10;
/** struct nfgenmsg, which begins each message. */
const GENMSG = 4;
const MSG_GETGEN = 16;
const GEN_ID = 1;

const RECEIVE_SIZE = 64 * 1024;
/** A batch is one datagram: the rules of some 50,000 host ports. */
const SEND_BUFFER = 16 << 20;

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
      await this.#commits.sendInPool(messages[0]!.name, datagram);
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
        for (const answer of this.#questions.receive(name)) {
          if (answer.sequence !== sequence) continue;
          if ((answer.flags & NLM_F.DUMP_INTR) !== 0) interrupted = true;
          if (answer.type === NLMSG_DONE) done = true;
          else if (answer.type === NLMSG_ERROR)
            throw failureOf(name, answer) ?? new ErrnoError(name, E.EPROTO);
          else
            objects.push({
              family: answer.body[0]!,
              attributes: attributes(Buffer.from(answer.body.subarray(GENMSG))),
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
      for (const answer of this.#questions.receive(name)) {
        if (answer.sequence !== sequence) continue;
        if (answer.type !== NLMSG_ERROR) {
          found = {
            family: answer.body[0]!,
            attributes: attributes(Buffer.from(answer.body.subarray(GENMSG))),
          };
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
      for (const answer of this.#questions.receive('get generation')) {
        if (answer.sequence !== sequence) continue;
        if (answer.type === NLMSG_ERROR)
          throw failureOf('get generation', answer) ?? new ErrnoError('get generation', E.EPROTO);
        return attributes(answer.body.subarray(GENMSG)).get(GEN_ID)?.readUInt32BE(0) ?? 0;
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
      for (const answer of this.#commits.receive(messages[0]!.name)) {
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
    this.#questions.send(name, Buffer.concat(parts));
  }
}

/** What a dump gives. */
export interface NfObject {
  /** NFPROTO_*. */
  family: number;
  attributes: Map<number, Buffer>;
}

function open(): NetlinkSocket {
  return new NetlinkSocket(NETLINK.NETFILTER, { receives: RECEIVE_SIZE, sends: SEND_BUFFER });
}

function head(
  type: number,
  flags: number,
  sequence: number,
  bodyLength: number,
  resource: number,
  family = 0,
): Buffer {
  const general = Buffer.alloc(GENMSG);
  general.writeUInt8(family, 0);
  general.writeUInt16BE(resource, 2);
  return Buffer.concat([netlinkHeader(type, flags, sequence, GENMSG + bodyLength), general]);
}
