import {
  AF_INET,
  attribute,
  attributes,
  ipBytes,
  ipOf,
  macBytes,
  macOf,
  nested,
  text,
  textOf,
  u32,
  u32Of,
  u8,
  type RtMessage,
} from './netlink-attributes.ts';

/** Links of rtnetlink(7): requests and what a dump tells. */

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const IFF_UP = 1;
const IFF_PROMISC = 0x100;
const IFF_ALLMULTI = 0x200;
export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKINFO: 18,
  STATS64: 23,
  NET_NS_FD: 28,
};
export const IFLA_INFO = { KIND: 1, DATA: 2 };
const VETH_INFO_PEER = 1;
const IFLA_VXLAN = { ID: 1, LOCAL: 4, LEARNING: 7, PORT: 15, LOCAL6: 17 };
const HEADER = 16;

/** The index of `lo`, in every network namespace. */
export const LOOPBACK_INDEX = 1;

/** A link by its index or its name. */
export type LinkRef = number | string;

/** struct ifinfomsg. */
export function linkHeader(index: number, flags = 0, change = flags): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

/** A link's header, with its name when it is given by name. */
export function refer(link: LinkRef, flags = 0, change = flags): Buffer {
  return typeof link === 'number'
    ? linkHeader(link, flags, change)
    : Buffer.concat([linkHeader(0, flags, change), attribute(IFLA.IFNAME, text(link))]);
}

export interface VethOptions {
  host: string;
  /** The index of the bridge that the host's end joins. */
  master?: number;
  hostMac?: string;
  peer: string;
  /** The namespace in which the peer is born: it is never moved. Absent: here. */
  peerNetns?: number;
  peerMac?: string;
  /** Fixes the peer's index, so that requests about it need not ask for it. A free one is taken by default. */
  peerIndex?: number;
  mtu?: number;
}

/**
 * A pair of virtual Ethernet links; the host's end is up. The peer comes up by a request of its own in its
 * namespace: asked for here the kernel refuses, because the pair is not joined yet.
 */
export function veth(o: VethOptions): RtMessage {
  const peer = Buffer.concat([
    linkHeader(o.peerIndex ?? 0),
    attribute(IFLA.IFNAME, text(o.peer)),
    ...(o.peerNetns === undefined ? [] : [attribute(IFLA.NET_NS_FD, u32(o.peerNetns))]),
    ...basics(o.mtu, o.peerMac),
  ]);
  const body = Buffer.concat([
    linkHeader(0, IFF_UP),
    attribute(IFLA.IFNAME, text(o.host)),
    ...basics(o.mtu, o.hostMac),
    ...(o.master === undefined ? [] : [attribute(IFLA.MASTER, u32(o.master))]),
    nested(
      IFLA.LINKINFO,
      attribute(IFLA_INFO.KIND, text('veth')),
      nested(IFLA_INFO.DATA, attribute(VETH_INFO_PEER, peer)),
    ),
  ]);
  return { name: `add veth ${o.host}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

/** MTU and hardware address, where given. */
export function basics(mtu: number | undefined, mac: string | undefined): Buffer[] {
  return [
    ...(mtu === undefined ? [] : [attribute(IFLA.MTU, u32(mtu))]),
    ...(mac === undefined ? [] : [attribute(IFLA.ADDRESS, macBytes(mac))]),
  ];
}

/** An intermediate functional block: a link through which others send what they receive. */
export function ifb(o: { name: string; mtu?: number }): RtMessage {
  const body = Buffer.concat([
    linkHeader(0, IFF_UP),
    attribute(IFLA.IFNAME, text(o.name)),
    ...basics(o.mtu, undefined),
    nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text('ifb'))),
  ]);
  return { name: `add ifb ${o.name}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

export interface VxlanOptions {
  name: string;
  /** VXLAN network identifier, 24 bits. */
  vni: number;
  /** UDP port that all nodes listen on. */
  port: number;
  /** The address that this node sends from: all nodes use one family. */
  local: string;
  mtu: number;
  mac: string;
}

/** A link into a VXLAN without multicast and without learning: who is where is told by `forwardAdd`. */
export function vxlan(o: VxlanOptions): RtMessage {
  const { family, bytes } = ipBytes(o.local);
  const port = Buffer.alloc(2);
  port.writeUInt16BE(o.port);
  const data = nested(
    IFLA_INFO.DATA,
    attribute(IFLA_VXLAN.ID, u32(o.vni)),
    attribute(family === AF_INET ? IFLA_VXLAN.LOCAL : IFLA_VXLAN.LOCAL6, bytes),
    attribute(IFLA_VXLAN.LEARNING, u8(0)),
    attribute(IFLA_VXLAN.PORT, port),
  );
  const body = Buffer.concat([
    linkHeader(0, IFF_UP),
    attribute(IFLA.IFNAME, text(o.name)),
    ...basics(o.mtu, o.mac),
    nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text('vxlan')), data),
  ]);
  return { name: `add vxlan ${o.name}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Sets a link up. ENODEV when there is none of that index or name. */
export function linkUp(link: LinkRef): RtMessage {
  return { name: `set link ${link} up`, type: RTM_NEWLINK, flags: 0, body: refer(link, IFF_UP) };
}

/** Sets a link down; its IPv6 addresses and its routes go with that. */
export function linkDown(link: LinkRef): RtMessage {
  return { name: `set link ${link} down`, type: RTM_NEWLINK, flags: 0, body: refer(link, 0, IFF_UP) };
}

/** Changes a link that exists. `master` 0 takes it out of its bridge; `netns` moves it. */
export function linkSet(
  link: LinkRef,
  change: {
    mtu?: number;
    mac?: string;
    master?: number;
    name?: string;
    netns?: number;
    txQueueLength?: number;
  },
): RtMessage {
  const body = Buffer.concat([
    refer(link),
    ...basics(change.mtu, change.mac),
    ...(change.master === undefined ? [] : [attribute(IFLA.MASTER, u32(change.master))]),
    ...(change.txQueueLength === undefined ? [] : [attribute(IFLA.TXQLEN, u32(change.txQueueLength))]),
    ...(change.netns === undefined ? [] : [attribute(IFLA.NET_NS_FD, u32(change.netns))]),
    // With an index in the header the name is the new one.
    ...(change.name === undefined ? [] : [attribute(IFLA.IFNAME, text(change.name))]),
  ]);
  return { name: `set link ${link}`, type: RTM_NEWLINK, flags: 0, body };
}

/** Whether a link takes in all multicast frames. */
export function linkAllMulticast(link: LinkRef, on: boolean): RtMessage {
  const body = refer(link, on ? IFF_ALLMULTI : 0, IFF_ALLMULTI);
  return { name: `set link ${link} allmulticast`, type: RTM_NEWLINK, flags: 0, body };
}

/** Whether a link takes in frames that are addressed to others. */
export function linkPromiscuous(link: LinkRef, on: boolean): RtMessage {
  const body = refer(link, on ? IFF_PROMISC : 0, IFF_PROMISC);
  return { name: `set link ${link} promiscuous`, type: RTM_NEWLINK, flags: 0, body };
}

/** Takes a link away, of a veth pair both ends. */
export function linkDel(link: LinkRef): RtMessage {
  return { name: `delete link ${link}`, type: RTM_DELLINK, flags: 0, body: refer(link) };
}

export interface LinkStats {
  rxPackets: bigint;
  txPackets: bigint;
  rxBytes: bigint;
  txBytes: bigint;
  rxErrors: bigint;
  txErrors: bigint;
  rxDropped: bigint;
  txDropped: bigint;
}

export interface Link {
  index: number;
  name: string;
  /** `veth`, `bridge`, …: empty for hardware and loopback. */
  kind: string;
  mac: string;
  mtu: number;
  /** Index of the bridge it belongs to. */
  master: number | undefined;
  /** Of a vxlan: its identifier, port and local address. */
  vxlan: { vni: number; port: number; local: string } | undefined;
  /** Of a pair: index of the other end, in its own namespace. */
  peer: number | undefined;
  up: boolean;
  promiscuous: boolean;
  allMulticast: boolean;
  txQueueLength: number;
  stats: LinkStats | undefined;
}

/** The link that an RTM_NEWLINK message tells of. */
export function parseLink(body: Buffer): Link {
  const found = attributes(body.subarray(HEADER));
  const info = found.get(IFLA.LINKINFO);
  return {
    index: body.readInt32LE(4),
    name: textOf(found.get(IFLA.IFNAME)),
    kind: info === undefined ? '' : textOf(attributes(info).get(IFLA_INFO.KIND)),
    mac: macOf(found.get(IFLA.ADDRESS)),
    mtu: u32Of(found.get(IFLA.MTU)) ?? 0,
    master: u32Of(found.get(IFLA.MASTER)),
    vxlan: parseVxlan(info),
    peer: u32Of(found.get(IFLA.LINK)),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    promiscuous: (body.readUInt32LE(8) & IFF_PROMISC) !== 0,
    allMulticast: (body.readUInt32LE(8) & IFF_ALLMULTI) !== 0,
    txQueueLength: u32Of(found.get(IFLA.TXQLEN)) ?? 0,
    stats: parseStats(found.get(IFLA.STATS64)),
  };
}

function parseVxlan(info: Buffer | undefined): Link['vxlan'] {
  const found = info === undefined ? undefined : attributes(info);
  const data = found?.get(IFLA_INFO.DATA);
  if (data === undefined || textOf(found?.get(IFLA_INFO.KIND)) !== 'vxlan') return undefined;
  const values = attributes(data);
  const local = values.get(IFLA_VXLAN.LOCAL) ?? values.get(IFLA_VXLAN.LOCAL6);
  return {
    vni: u32Of(values.get(IFLA_VXLAN.ID)) ?? 0,
    port: values.get(IFLA_VXLAN.PORT)?.readUInt16BE(0) ?? 0,
    local: local === undefined ? '' : ipOf(local),
  };
}

/** struct rtnl_link_stats64 begins with these eight. */
function parseStats(data: Buffer | undefined): LinkStats | undefined {
  if (data === undefined) return undefined;
  const counter = (place: number): bigint => data.readBigUInt64LE(place * 8);
  return {
    rxPackets: counter(0),
    txPackets: counter(1),
    rxBytes: counter(2),
    txBytes: counter(3),
    rxErrors: counter(4),
    txErrors: counter(5),
    rxDropped: counter(6),
    txDropped: counter(7),
  };
}
