import {
  AF_BRIDGE,
  AF_INET,
  AF_INET6,
  attribute,
  attributes,
  ipBytes,
  ipOf,
  macBytes,
  macOf,
  nested,
  u32,
  u32Of,
  type RtMessage,
} from './netlink-attributes.ts';

/** Routes and neighbours of rtnetlink(7). */

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, METRICS: 8, TABLE: 15 };
const RTN_UNICAST = 1;
const RTPROT_UNSPEC = 0;
const RTPROT = { boot: 3, static: 4 };
const RTAX = { MTU: 2, ADVMSS: 8 };
const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTNH_F_ONLINK = 4;
const NDA = { DST: 1, LLADDR: 2 };
const NUD_PERMANENT = 0x80;
const NTF_SELF = 2;
const ROUTE_HEADER = 12;
const NEIGHBOUR_HEADER = 12;

export interface RouteOptions {
  /** `10.0.0.0/8`, `fd00::/64`; absent: the default route of the gateway's family. */
  destination?: string;
  /** Absent: the destination is on the link itself. */
  gateway?: string;
  /** The index of the link. */
  index: number;
  /** The gateway is on the link although no address says so. */
  onlink?: boolean;
  /** The address to send from. */
  source?: string;
  metric?: number;
  /** Who says so; `boot` is what ip(8) and CNI plugins write. */
  protocol?: 'static' | 'boot';
  /** Another table than the main one. */
  table?: number;
  mtu?: number;
  advmss?: number;
  /** RT_SCOPE_*: by default 253 (link) without a gateway in IPv4, else 0 (universe). */
  scope?: number;
  /** A route there already is replaced, not an error. */
  replace?: boolean;
}

/** Adds a route to the main table. EEXIST when it is there, unless it may be replaced. */
export function routeAdd(o: RouteOptions): RtMessage {
  const name = `add route ${o.destination ?? 'default'}${o.gateway === undefined ? '' : ` via ${o.gateway}`}`;
  const flags = NLM_F_CREATE | (o.replace === true ? NLM_F_REPLACE : NLM_F_EXCL);
  return { name, type: RTM_NEWROUTE, flags, body: routeBody(o) };
}

/** Deletes the route of the main table that has these properties, whatever its scope. ESRCH when there is none. */
export function routeDel(o: RouteOptions): RtMessage {
  return {
    name: `delete route ${o.destination ?? 'default'}`,
    type: RTM_DELROUTE,
    flags: 0,
    body: routeBody(o, true),
  };
}

function routeBody(o: RouteOptions, any = false): Buffer {
  const [network, length] = o.destination?.split('/') ?? [];
  const some = network ?? o.gateway;
  if (some === undefined) throw new TypeError('A route needs a destination or a gateway');
  const { family, bytes } = ipBytes(some);
  // struct rtmsg.
  const header = Buffer.alloc(ROUTE_HEADER);
  header[0] = family;
  header[1] = network === undefined ? 0 : Number(length ?? bytes.length * 8);
  // Larger numbers stand in the attribute alone.
  header[4] = o.table === undefined ? RT_TABLE_MAIN : o.table < 256 ? o.table : 0;
  header[5] = any ? RTPROT_UNSPEC : RTPROT[o.protocol ?? 'static'];
  const scope =
    o.scope ?? (o.gateway === undefined && family === AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  const metrics = [
    ...(o.mtu === undefined ? [] : [attribute(RTAX.MTU, u32(o.mtu))]),
    ...(o.advmss === undefined ? [] : [attribute(RTAX.ADVMSS, u32(o.advmss))]),
  ];
  // For a deletion this one matches every scope.
  header[6] = any ? RT_SCOPE_NOWHERE : scope;
  header[7] = RTN_UNICAST;
  header.writeUInt32LE(o.onlink === true ? RTNH_F_ONLINK : 0, 8);
  return Buffer.concat([
    header,
    ...(header[1] === 0 ? [] : [attribute(RTA.DST, bytes)]),
    ...(o.gateway === undefined ? [] : [attribute(RTA.GATEWAY, ipBytes(o.gateway).bytes)]),
    ...(o.source === undefined ? [] : [attribute(RTA.PREFSRC, ipBytes(o.source).bytes)]),
    ...(o.metric === undefined ? [] : [attribute(RTA.PRIORITY, u32(o.metric))]),
    ...(metrics.length === 0 ? [] : [nested(RTA.METRICS, ...metrics)]),
    ...(o.table === undefined ? [] : [attribute(RTA.TABLE, u32(o.table))]),
    attribute(RTA.OIF, u32(o.index)),
  ]);
}

/** The body of RTM_GETROUTE for one destination. */
export function routeQuery(address: string): Buffer {
  const { family, bytes } = ipBytes(address);
  const header = Buffer.alloc(ROUTE_HEADER);
  header[0] = family;
  header[1] = bytes.length * 8;
  return Buffer.concat([header, attribute(RTA.DST, bytes)]);
}

export interface Route {
  family: 4 | 6;
  /** With its length; `default` for all. */
  destination: string;
  gateway: string | undefined;
  index: number | undefined;
  source: string | undefined;
  metric: number;
  /** 254 is the main table, 255 the kernel's own local one. */
  table: number;
  onlink: boolean;
}

/** The route that an RTM_NEWROUTE message tells of. */
export function parseRoute(body: Buffer): Route {
  const found = attributes(body.subarray(ROUTE_HEADER));
  const address = (type: number): string | undefined => {
    const bytes = found.get(type);
    return bytes === undefined ? undefined : ipOf(bytes);
  };
  const destination = address(RTA.DST);
  return {
    family: body[0] === AF_INET6 ? 6 : 4,
    destination: destination === undefined ? 'default' : `${destination}/${body[1]}`,
    gateway: address(RTA.GATEWAY),
    index: u32Of(found.get(RTA.OIF)),
    source: address(RTA.PREFSRC),
    metric: u32Of(found.get(RTA.PRIORITY)) ?? 0,
    table: u32Of(found.get(RTA.TABLE)) ?? body[4]!,
    onlink: (body.readUInt32LE(8) & RTNH_F_ONLINK) !== 0,
  };
}

/** A permanent entry: who has this address on this link. */
export function neighAdd(o: { index: number; address: string; mac: string }): RtMessage {
  return {
    name: `add neighbour ${o.address}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([neighbourBody(o), attribute(NDA.LLADDR, macBytes(o.mac))]),
  };
}

/** Deletes a neighbour entry. ENOENT when there is none. */
export function neighDel(o: { index: number; address: string }): RtMessage {
  return { name: `delete neighbour ${o.address}`, type: RTM_DELNEIGH, flags: 0, body: neighbourBody(o) };
}

/** Frames to this hardware address leave a VXLAN link to this address: replaces an entry that is there. */
export function forwardAdd(o: { index: number; address: string; mac: string }): RtMessage {
  return {
    name: `add forwarding of ${o.mac} to ${o.address}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: forwardBody(o),
  };
}

/** Deletes a forwarding entry. ENOENT when there is none. */
export function forwardDel(o: { index: number; address: string; mac: string }): RtMessage {
  return { name: `delete forwarding of ${o.mac}`, type: RTM_DELNEIGH, flags: 0, body: forwardBody(o) };
}

function forwardBody(o: { index: number; address: string; mac: string }): Buffer {
  const header = Buffer.alloc(NEIGHBOUR_HEADER);
  header[0] = AF_BRIDGE;
  header.writeInt32LE(o.index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  header[10] = NTF_SELF;
  return Buffer.concat([
    header,
    attribute(NDA.DST, ipBytes(o.address).bytes),
    attribute(NDA.LLADDR, macBytes(o.mac)),
  ]);
}

function neighbourBody(o: { index: number; address: string }): Buffer {
  const { family, bytes } = ipBytes(o.address);
  // struct ndmsg.
  const header = Buffer.alloc(NEIGHBOUR_HEADER);
  header[0] = family;
  header.writeInt32LE(o.index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  return Buffer.concat([header, attribute(NDA.DST, bytes)]);
}

export interface Neighbour {
  index: number;
  address: string;
  mac: string;
  permanent: boolean;
}

/** The neighbour that an RTM_NEWNEIGH message tells of. */
export function parseNeighbour(body: Buffer): Neighbour {
  const found = attributes(body.subarray(NEIGHBOUR_HEADER));
  const address = found.get(NDA.DST);
  return {
    index: body.readInt32LE(4),
    address: address === undefined ? '' : ipOf(address),
    mac: macOf(found.get(NDA.LLADDR)),
    permanent: (body.readUInt16LE(8) & NUD_PERMANENT) !== 0,
  };
}
