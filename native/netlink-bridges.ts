import { AF_BRIDGE, attribute, nested, text, u8, type RtMessage } from './netlink-attributes.ts';
import {
  basics,
  IFF_UP,
  IFLA,
  IFLA_INFO,
  linkHeader,
  type LinkRef,
  NLM_F_CREATE,
  NLM_F_EXCL,
  refer,
  RTM_DELLINK,
  RTM_NEWLINK,
} from './netlink-links.ts';

/** Bridges and their ports over rtnetlink(7). */

const RTM_SETLINK = 19;
const IFLA_BR_VLAN_FILTERING = 7;
const IFLA_SLAVE_KIND = 4;
const IFLA_PROTINFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_AF_SPEC = 26;
const IFLA_BRIDGE_FLAGS = 0;
const IFLA_BRIDGE_VLAN_INFO = 2;
const BRIDGE_FLAGS_MASTER = 1;
const BRIDGE_FLAGS_SELF = 2;
const BRIDGE_VLAN_INFO = { PVID: 2, UNTAGGED: 4 };

/** A new bridge, up. Without `mac` it takes the lowest of its ports' and changes it with them. */
export function bridge(o: { name: string; mtu?: number; mac?: string; vlanFiltering?: boolean }): RtMessage {
  const data =
    o.vlanFiltering === true ? [nested(IFLA_INFO.DATA, attribute(IFLA_BR_VLAN_FILTERING, u8(1)))] : [];
  const body = Buffer.concat([
    linkHeader(0, IFF_UP),
    attribute(IFLA.IFNAME, text(o.name)),
    ...basics(o.mtu, o.mac),
    nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text('bridge')), ...data),
  ]);
  return { name: `add bridge ${o.name}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Whether a bridge keeps frames of different VLANs apart. */
export function bridgeVlanFiltering(link: LinkRef, on: boolean): RtMessage {
  const data = nested(IFLA_INFO.DATA, attribute(IFLA_BR_VLAN_FILTERING, u8(on ? 1 : 0)));
  const body = Buffer.concat([
    refer(link),
    nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text('bridge')), data),
  ]);
  return { name: `set bridge ${link} vlan_filtering`, type: RTM_NEWLINK, flags: 0, body };
}

/** Whether a port of a bridge is kept from other ports of which the same is said. */
export function portIsolation(link: LinkRef, on: boolean): RtMessage {
  return portOption(link, 'isolated', IFLA_BRPORT_ISOLATED, on);
}

/**
 * Puts a port of a bridge, or with `self` the bridge, into a VLAN, or takes it out. `untagged`: frames of the VLAN leave without
 * a tag, and frames without a tag belong to it (what bridge(8) calls pvid untagged).
 */
export function portVlan(
  index: number,
  vlan: number,
  o: { untagged: boolean; self?: boolean; remove?: boolean },
): RtMessage {
  const header = linkHeader(index);
  header[0] = AF_BRIDGE;
  const info = Buffer.alloc(4);
  info.writeUInt16LE(o.untagged ? BRIDGE_VLAN_INFO.PVID | BRIDGE_VLAN_INFO.UNTAGGED : 0, 0);
  info.writeUInt16LE(vlan, 2);
  const flags = Buffer.alloc(2);
  flags.writeUInt16LE(o.self === true ? BRIDGE_FLAGS_SELF : BRIDGE_FLAGS_MASTER);
  const spec = nested(
    IFLA_AF_SPEC,
    attribute(IFLA_BRIDGE_FLAGS, flags),
    attribute(IFLA_BRIDGE_VLAN_INFO, info),
  );
  return {
    name: `${o.remove === true ? 'remove' : 'add'} vlan ${vlan} of link ${index}`,
    type: o.remove === true ? RTM_DELLINK : RTM_SETLINK,
    flags: 0,
    body: Buffer.concat([header, spec]),
  };
}

/** Lets a port of a bridge send a frame back out of itself: what a pod needs that reaches itself by a service. */
export function linkHairpin(link: LinkRef, on: boolean): RtMessage {
  return portOption(link, 'hairpin', IFLA_BRPORT_MODE, on);
}

function portOption(link: LinkRef, name: string, option: number, on: boolean): RtMessage {
  const slave = nested(IFLA_PROTINFO_SLAVE_DATA, attribute(option, u8(on ? 1 : 0)));
  const body = Buffer.concat([
    refer(link),
    nested(IFLA.LINKINFO, attribute(IFLA_SLAVE_KIND, text('bridge')), slave),
  ]);
  return { name: `set link ${link} ${name}`, type: RTM_NEWLINK, flags: 0, body };
}
