import { readFileSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import { inNetns } from '../native/namespaces.ts';
import {
  addrAdd,
  bridge,
  linkHairpin,
  LOOPBACK_INDEX,
  linkSet,
  linkUp,
  routeAdd,
  Rtnl,
  veth,
} from '../native/netlink.ts';
import { openPath, O, OwnedFd } from '../native/fd.ts';
import { addressNumber, type PodRange } from './pod-range.ts';

/** The links of the built-in network over rtnetlink. All calls are synchronous: a millisecond or two in all. */

export interface BridgeLink {
  index: number;
  mtu: number;
}

const DEFAULT_MTU = 1500;
const PEER_NAME = 'eth0';

/**
 * The bridge that all pods hang on, made if it is missing, with the gateway address of each range. `made` tells
 * whether it was. Throws Fault `precondition` when a link of that name is no bridge.
 */
export function ensureBridge(rtnl: Rtnl, name: string, ranges: PodRange[]): BridgeLink & { made: boolean } {
  let link = rtnl.linkByName(name);
  const made = link === undefined;
  if (link === undefined) {
    const first = ranges[0];
    rtnl.exec([bridge({ name, mtu: uplinkMtu(rtnl), mac: first && macOf(first.gateway) })]);
    link = rtnl.linkByName(name);
  }
  if (link === undefined || link.kind !== 'bridge')
    throw new Fault('precondition', `The link ${name} is ${link?.kind || 'no bridge'}, not a bridge`, {
      hint: 'rename or remove it',
    });
  const { index, mtu } = link;
  rtnl.exec([
    ...(link.up ? [] : [linkUp(index)]),
    ...ranges.map(({ gateway, prefix }) => addrAdd({ index, address: gateway, prefix, replace: true })),
  ]);
  return { index, mtu, made };
}

/** Hangs links on the bridge again, after it was lost and made anew. */
export function enslave(rtnl: Rtnl, bridgeIndex: number, names: string[]): void {
  if (names.length === 0) return;
  rtnl.exec(names.flatMap((name) => [linkSet(name, { master: bridgeIndex }), linkHairpin(name, true)]));
}

/** The MTU of the link that the default route leads over, so that pods' packets fit it. */
function uplinkMtu(rtnl: Rtnl): number {
  // IPv4's main table: interface, destination, gateway, … with addresses in hexadecimal.
  const fields = readFileSync('/proc/self/net/route', 'latin1')
    .split('\n')
    .map((line) => line.split('\t'))
    .find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000');
  const uplink = fields?.[0] === undefined ? undefined : rtnl.linkByName(fields[0]);
  return uplink?.mtu ?? DEFAULT_MTU;
}

export interface PodLink {
  /** Name of the end on the node. */
  hostName: string;
  bridge: BridgeLink;
  netnsPath: string;
  /** Addresses with the ranges that they were taken from; the first range's gateway of each family is the default. */
  addresses: { address: string; range: PodRange }[];
}

/**
 * Makes a pod's link: both ends are born where they live, the host's end on the bridge. Throws ErrnoError: ENODEV
 * when the bridge is gone, EEXIST when the namespace has a network already.
 */
export function makePodLink(rtnl: Rtnl, link: PodLink): void {
  using netns = new OwnedFd(openPath(link.netnsPath, O.RDONLY));
  rtnl.exec([
    veth({
      host: link.hostName,
      master: link.bridge.index,
      mtu: link.bridge.mtu,
      peer: PEER_NAME,
      peerNetns: netns.fd,
      peerMac: macOf(link.addresses[0]!.address),
    }),
    // A pod that reaches itself through a service or host port leaves and enters by the same port of the bridge.
    linkHairpin(link.hostName, true),
  ]);
  inNetns(netns.fd, () => {
    using inside = new Rtnl();
    // Asked for and not assumed: some kernels put tunnels of their own into every new namespace.
    const index = inside.linkByName(PEER_NAME)!.index;
    inside.exec([
      linkUp(LOOPBACK_INDEX),
      linkUp(index),
      ...link.addresses.map(({ address, range }) => addrAdd({ index, address, prefix: range.prefix })),
      ...link.addresses.map(({ range }) => routeAdd({ index, gateway: range.gateway })),
    ]);
  });
}

/**
 * A hardware address that follows from the address: whoever gets the address next has it too, and no neighbour's
 * table is wrong. 0a:58 marks it as given by software.
 */
export function macOf(address: string): string {
  const low = addressNumber(address) & 0xffffffffn;
  const hex = `0a58${low.toString(16).padStart(8, '0')}`;
  return hex.replace(/(..)(?=.)/g, '$1:');
}
