import { readFileSync } from 'node:fs';
import {
  AF_UNSPEC,
  attribute,
  attributes,
  nested,
  text,
  textOf,
  u32,
  type RtMessage,
} from './netlink-attributes.ts';

/** Traffic control over rtnetlink(7): queueing disciplines and filters, as tc(8) makes them. */

const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const TCA = { KIND: 1, OPTIONS: 2 };
const HANDLE_ROOT = 0xffffffff;
const HANDLE_INGRESS = 0xfffffff1;
const INGRESS = 0xffff0000;
const ETH_P_ALL = 3;
const TCA_TBF = { PARMS: 1, RATE64: 4 };
const TCA_U32 = { CLASSID: 1, SEL: 5, ACT: 7 };
const TCA_ACT = { KIND: 1, OPTIONS: 2 };
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
const TC_U32_TERMINAL = 1;
const MAX_U32 = 0xffffffff;
const LATENCY_S = 0.025;
const HEADER = 20;

/** struct tcmsg. */
function header(index: number, handle: number, parent: number, info = 0): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes[0] = AF_UNSPEC;
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(handle, 8);
  bytes.writeUInt32LE(parent, 12);
  bytes.writeUInt32LE(info, 16);
  return bytes;
}

/**
 * A token bucket that lets `rate` bytes a second leave by a link, and `burst` bytes at once; what would have to wait
 * longer than 25 ms is dropped (tc-tbf(8)). A burst that the kernel cannot hold becomes the largest that it can.
 */
export function tokenBucket(index: number, rate: number, burst: number): RtMessage {
  // struct tc_tbf_qopt: two struct tc_ratespec with the rate at 8, limit, buffer, mtu.
  const parameters = Buffer.alloc(36);
  parameters.writeUInt32LE(Math.min(rate, MAX_U32), 8);
  parameters.writeUInt32LE(Math.min(Math.floor(rate * LATENCY_S) + Math.floor(burst), MAX_U32), 24);
  const microseconds = Math.min(Math.floor((burst * 1e6) / rate), MAX_U32);
  parameters.writeUInt32LE(Math.min(Math.floor(microseconds * ticksPerMicrosecond()), MAX_U32), 28);
  const large = Buffer.alloc(8);
  large.writeBigUInt64LE(BigInt(Math.floor(rate)));
  const options = nested(
    TCA.OPTIONS,
    attribute(TCA_TBF.PARMS, parameters),
    ...(rate > MAX_U32 ? [attribute(TCA_TBF.RATE64, large)] : []),
  );
  return {
    name: `add tbf to link ${index}`,
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header(index, 0x10000, HANDLE_ROOT), attribute(TCA.KIND, text('tbf')), options]),
  };
}

/** The hook for filters of what arrives at a link. */
export function ingressQueue(index: number): RtMessage {
  return {
    name: `add ingress to link ${index}`,
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header(index, INGRESS, HANDLE_INGRESS), attribute(TCA.KIND, text('ingress'))]),
  };
}

/** Sends everything that arrives at a link out by another one: how an ifb shapes what a link receives. */
export function redirectIngress(index: number, to: number): RtMessage {
  // struct tc_u32_sel with one struct tc_u32_key, which matches everything.
  const selector = Buffer.alloc(32);
  selector[0] = TC_U32_TERMINAL;
  selector[2] = 1;
  // struct tc_mirred.
  const mirred = Buffer.alloc(28);
  mirred.writeInt32LE(TC_ACT_STOLEN, 8);
  mirred.writeInt32LE(TCA_EGRESS_REDIR, 20);
  mirred.writeUInt32LE(to, 24);
  const action = nested(
    1,
    attribute(TCA_ACT.KIND, text('mirred')),
    nested(TCA_ACT.OPTIONS, attribute(TCA_MIRRED_PARMS, mirred)),
  );
  const options = nested(
    TCA.OPTIONS,
    attribute(TCA_U32.CLASSID, u32(0x10001)),
    attribute(TCA_U32.SEL, selector),
    nested(TCA_U32.ACT, action),
  );
  // Priority 1; the protocol stands in network byte order.
  const info = ((1 << 16) | (ETH_P_ALL << 8)) >>> 0;
  return {
    name: `add redirect to link ${index}`,
    type: RTM_NEWTFILTER,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([header(index, 0, INGRESS, info), attribute(TCA.KIND, text('u32')), options]),
  };
}

/** The queueing discipline that an RTM_NEWQDISC message tells of. */
export function parseQueue(body: Buffer): { index: number; kind: string } {
  return { index: body.readInt32LE(4), kind: textOf(attributes(body.subarray(HEADER)).get(TCA.KIND)) };
}

/** /proc/net/psched: how the kernel's packet clock counts (lib/core in iproute2 reads the same). */
function ticksPerMicrosecond(): number {
  const [ticks, microseconds, resolution] = readFileSync('/proc/net/psched', 'latin1')
    .split(' ')
    .map((word) => Number.parseInt(word, 16)) as [number, number, number];
  return (ticks / microseconds) * (resolution / 1e6);
}
