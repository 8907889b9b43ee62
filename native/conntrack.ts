import { setImmediate } from 'node:timers/promises';
import { E, ErrnoError } from './errno.ts';
import { O, OwnedFd } from './fd.ts';
import { bind, check } from './libc.ts';
import { AF_INET, AF_INET6, align4, attribute, attributes, nested } from './netlink-attributes.ts';

/**
 * The kernel's table of tracked connections through ctnetlink (linux/netfilter/nfnetlink_conntrack.h), in the
 * network namespace of the calling thread.
 */

const socket = bind<[number, number, number]>('int socket(int domain, int type, int protocol)');
const send = bind<[number, Buffer, number, number]>(
  'long send(int fd, const void *bytes, size_t size, int flags)',
);
const recv = bind<[number, Buffer, number, number]>('long recv(int fd, void *bytes, size_t size, int flags)');

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_NETFILTER = 12;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const CT_GET = (1 << 8) | 1;
const CT_DELETE = (1 << 8) | 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ZONE = 18;
const TUPLE_IP = 1;
const TUPLE_PROTO = 2;
const PROTO_NUM = 1;
const PROTO_DST_PORT = 3;
const FAMILIES = {
  4: { number: AF_INET, source: 1, destination: 2 },
  6: { number: AF_INET6, source: 3, destination: 4 },
} as const;
/** Message header and struct nfgenmsg. */
const HEAD = 16 + 4;

const NOTHING = Buffer.alloc(0);

export const IPPROTO_UDP = 17;

/** One connection, as far as it matters here. Addresses are the bytes on the wire. */
export interface Flow {
  /** IPPROTO_*. */
  protocol: number;
  /** Where the first packet was sent to. */
  destination: Buffer;
  destinationPort: number;
  /** Where answers come from: another place than `destination` when that was translated. */
  replySource: Buffer;
}

/**
 * Removes all connections of a family that `matches` picks, so that their next packet is looked at anew. Returns how
 * many. The event loop runs on between parts of a large table. Throws ErrnoError (EPERM, EPROTONOSUPPORT when the
 * kernel has no connection tracking).
 */
export async function deleteFlows(family: 4 | 6, matches: (flow: Flow) => boolean): Promise<number> {
  using table = new OwnedFd(
    check('socket netfilter', socket(AF_NETLINK, SOCK_RAW | O.CLOEXEC, NETLINK_NETFILTER)),
  );
  // A second socket: answers to the deletions must not mix with the dump.
  using deletions = new OwnedFd(
    check('socket netfilter', socket(AF_NETLINK, SOCK_RAW | O.CLOEXEC, NETLINK_NETFILTER)),
  );
  transmit(table.fd, message(CT_GET, NLM_F_DUMP, family, []));
  const part = Buffer.alloc(32 * 1024);
  let deleted = 0;
  for (;;) {
    const size = check('receive conntrack', recv(table.fd, part, part.length, 0));
    for (const { type, body } of messages(part.subarray(0, size))) {
      if (type === NLMSG_DONE) return deleted;
      if (type === NLMSG_ERROR) throw new ErrnoError('dump conntrack', -body.readInt32LE(0));
      const entry = attributes(body.subarray(4));
      const flow = readFlow(family, entry);
      if (flow !== undefined && matches(flow) && deleteFlow(deletions.fd, family, entry)) deleted++;
    }
    await setImmediate();
  }
}

function readFlow(family: 4 | 6, entry: Map<number, Buffer>): Flow | undefined {
  const original = entry.get(CTA_TUPLE_ORIG);
  const reply = entry.get(CTA_TUPLE_REPLY);
  if (original === undefined || reply === undefined) return undefined;
  const tuple = attributes(original);
  const ip = attributes(tuple.get(TUPLE_IP) ?? NOTHING);
  const proto = attributes(tuple.get(TUPLE_PROTO) ?? NOTHING);
  const replyIp = attributes(attributes(reply).get(TUPLE_IP) ?? NOTHING);
  const { source, destination } = FAMILIES[family];
  return {
    protocol: proto.get(PROTO_NUM)?.[0] ?? 0,
    destination: ip.get(destination) ?? NOTHING,
    // Protocols without ports have none here.
    destinationPort: proto.get(PROTO_DST_PORT)?.readUInt16BE(0) ?? 0,
    replySource: replyIp.get(source) ?? NOTHING,
  };
}

/** False when it is gone already. */
function deleteFlow(fd: number, family: 4 | 6, entry: Map<number, Buffer>): boolean {
  const zone = entry.get(CTA_ZONE);
  const named = [
    nested(CTA_TUPLE_ORIG, entry.get(CTA_TUPLE_ORIG) ?? NOTHING),
    ...(zone === undefined ? [] : [attribute(CTA_ZONE, zone)]),
  ];
  transmit(fd, message(CT_DELETE, NLM_F_ACK, family, named));
  const answer = Buffer.alloc(4096);
  const size = check('receive conntrack', recv(fd, answer, answer.length, 0));
  const [first] = messages(answer.subarray(0, size));
  const errno = first === undefined ? 0 : -first.body.readInt32LE(0);
  if (errno !== 0 && errno !== E.ENOENT) throw new ErrnoError('delete conntrack', errno);
  return errno === 0;
}

function transmit(fd: number, bytes: Buffer): void {
  check('send conntrack', send(fd, bytes, bytes.length, 0));
}

function message(type: number, flags: number, family: 4 | 6, attributes: Buffer[]): Buffer {
  const head = Buffer.alloc(HEAD);
  const whole = Buffer.concat([head, ...attributes]);
  whole.writeUInt32LE(whole.length, 0);
  whole.writeUInt16LE(type, 4);
  whole.writeUInt16LE(flags | NLM_F_REQUEST, 6);
  whole.writeUInt8(FAMILIES[family].number, 16);
  return whole;
}

function* messages(bytes: Buffer): Generator<{ type: number; body: Buffer }> {
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < 16) return;
    yield { type: bytes.readUInt16LE(at + 4), body: bytes.subarray(at + 16, at + length) };
    at += align4(length);
  }
}
