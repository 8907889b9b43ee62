import {
  AF_INET,
  AF_INET6,
  attribute,
  attributes,
  ipBytes,
  ipOf,
  u32,
  u32Of,
  type RtMessage,
} from './netlink-attributes.ts';

/** Addresses of rtnetlink(7). */

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 };
const IFA_F_NODAD = 0x02;
const IFA_F_TENTATIVE = 0x40;
const HEADER = 8;

export interface AddressOptions {
  /** The index of the link. */
  index: number;
  address: string;
  /** Length of the prefix. */
  prefix: number;
  /** IPv4: the broadcast address. */
  broadcast?: string;
  /** The same address there already is no error. */
  replace?: boolean;
}

/**
 * Gives a link an address. An IPv6 address is usable at once: it is ours, so the kernel need not spend a second on
 * asking the neighbours for a duplicate (IFA_F_NODAD).
 */
export function addrAdd(o: AddressOptions): RtMessage {
  const { family, bytes } = ipBytes(o.address);
  const local = family === AF_INET ? [attribute(IFA.LOCAL, bytes)] : [attribute(IFA.FLAGS, u32(IFA_F_NODAD))];
  const broadcast = o.broadcast === undefined ? [] : [attribute(IFA.BROADCAST, ipBytes(o.broadcast).bytes)];
  return {
    name: `add address ${o.address}/${o.prefix} to link ${o.index}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | (o.replace === true ? NLM_F_REPLACE : NLM_F_EXCL),
    body: Buffer.concat([header(family, o), ...local, attribute(IFA.ADDRESS, bytes), ...broadcast]),
  };
}

/** Takes an address away from a link. EADDRNOTAVAIL when the link does not have it. */
export function addrDel(o: { index: number; address: string; prefix: number }): RtMessage {
  const { family, bytes } = ipBytes(o.address);
  return {
    name: `delete address ${o.address}/${o.prefix} of link ${o.index}`,
    type: RTM_DELADDR,
    flags: 0,
    body: Buffer.concat([header(family, o), attribute(IFA.LOCAL, bytes)]),
  };
}

/** struct ifaddrmsg. */
function header(family: number, o: { index: number; prefix: number }): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes[0] = family;
  bytes[1] = o.prefix;
  bytes.writeUInt32LE(o.index, 4);
  return bytes;
}

export interface Address {
  index: number;
  family: 4 | 6;
  address: string;
  prefix: number;
  /** 0 everywhere, 253 on its link, 254 on this host. */
  scope: number;
  /** IPv6: not usable yet. */
  tentative: boolean;
}

/** The address that an RTM_NEWADDR message tells of. */
export function parseAddress(body: Buffer): Address {
  const found = attributes(body.subarray(HEADER));
  const bytes = found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS);
  return {
    index: body.readUInt32LE(4),
    family: body[0] === AF_INET6 ? 6 : 4,
    address: bytes === undefined ? '' : ipOf(bytes),
    prefix: body[1]!,
    scope: body[3]!,
    tentative: ((u32Of(found.get(IFA.FLAGS)) ?? body[2]!) & IFA_F_TENTATIVE) !== 0,
  };
}
