import { readFileSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { O, OwnedFd, openPath } from '../native/fd.ts';
import { inNetns } from '../native/namespaces.ts';
import {
  addrAdd,
  addrDel,
  bridge,
  linkDel,
  linkHairpin,
  linkIndex,
  linkSet,
  linkUp,
  LOOPBACK_INDEX,
  routeAdd,
  Rtnl,
  veth,
} from '../native/netlink.ts';
import { addressNumber, type PodRange } from './pod-range.ts';

/**
 * The links of the built-in network over rtnetlink, in the network namespace of the process. What changes links waits
 * for the kernel on a thread of the pool; a namespace is entered only to make a socket that belongs to it.
 */

export interface BridgeLink {
  index: number;
  mtu: number;
}

const DEFAULT_MTU = 1500;
const PEER_NAME = 'eth0';

/**
 * The bridge that all pods hang on, made if it is missing, with the gateway address of each range. `wish`: the MTU that
 * it and its pods are to have; `uplink`: as the node's uplink; absent: a bridge that is there keeps its own. `made`
 * tells whether it was. Throws Fault `precondition` when a link of that name is no bridge.
 */
export async function ensureBridge(
  name: string,
  ranges: PodRange[],
  wish?: number | 'uplink',
): Promise<BridgeLink & { made: boolean }> {
  using rtnl = new Rtnl();
  let link = rtnl.linkByName(name);
  const made = link === undefined;
  if (link === undefined) {
    const first = ranges[0];
    const mtu = typeof wish === 'number' ? wish : uplinkMtu(rtnl);
    await rtnl.execInPool([bridge({ name, mtu, mac: first && macOf(first.gateway) })]);
    link = rtnl.linkByName(name);
  }
  if (link === undefined || link.kind !== 'bridge')
    throw new Fault('precondition', `The link ${name} is ${link?.kind || 'no bridge'}, not a bridge`, {
      hint: 'rename or remove it',
    });
  const { index } = link;
  const mtu = wish === 'uplink' ? uplinkMtu(rtnl) : (wish ?? link.mtu);
  await rtnl.execInPool([
    ...(link.mtu === mtu ? [] : [linkSet(index, { mtu })]),
    ...(link.up ? [] : [linkUp(index)]),
    ...ranges.map(({ gateway, prefix }) => addrAdd({ index, address: gateway, prefix, replace: true })),
  ]);
  return { index, mtu, made };
}

/** Takes the gateway addresses of ranges that serve no more off the bridge. */
export async function dropGateways(bridgeIndex: number, ranges: PodRange[]): Promise<void> {
  for (const { gateway, prefix } of ranges) {
    using rtnl = new Rtnl();
    try {
      await rtnl.execInPool([addrDel({ index: bridgeIndex, address: gateway, prefix })]);
    } catch (error) {
      if (!isErrno(error, 'EADDRNOTAVAIL')) throw error;
    }
  }
}

/** Hangs links on the bridge again, after it was lost and made anew. */
export async function enslave(bridgeIndex: number, names: string[]): Promise<void> {
  using rtnl = new Rtnl();
  await rtnl.execInPool(
    names.flatMap((name) => [linkSet(name, { master: bridgeIndex }), linkHairpin(name, true)]),
  );
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
  /** Addresses with the ranges that they were taken from; each range's gateway is the default of its family. */
  addresses: { address: string; range: PodRange }[];
}

/**
 * Makes a pod's link: both ends are born where they live, the host's end on the bridge. Throws ErrnoError: EINVAL
 * when the bridge is gone, EEXIST when the namespace has a network already.
 */
export async function makePodLink(link: PodLink): Promise<void> {
  using netns = new OwnedFd(openPath(link.netnsPath, O.RDONLY));
  using rtnl = new Rtnl();
  await rtnl.execInPool([
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
  // Asked for and not assumed: some kernels put tunnels of their own into every new namespace.
  const [inside, index] = inNetns(netns.fd, () => [new Rtnl(), linkIndex(PEER_NAME)!] as const);
  using pod = inside;
  await pod.execInPool([
    linkUp(LOOPBACK_INDEX),
    linkUp(index),
    ...link.addresses.map(({ address, range }) => addrAdd({ index, address, prefix: range.prefix })),
    ...link.addresses.map(({ range }) => routeAdd({ index, gateway: range.gateway })),
  ]);
}

/** Brings the loopback of a namespace up; one that is up already is not a change for which the kernel would be waited for. */
export async function loopbackUp(netnsPath: string): Promise<void> {
  using inside = inNetns(netnsPath, () => new Rtnl());
  if (!inside.isUp('lo')) await inside.execInPool([linkUp(LOOPBACK_INDEX)]);
}

/** Deletes links, one after the other; one that is gone already is fine. The kernel takes some 20 ms for each (RCU). */
export async function deleteLinks(names: string[]): Promise<void> {
  for (const name of names) {
    using rtnl = new Rtnl();
    try {
      await rtnl.execInPool([linkDel(name)]);
    } catch (error) {
      if (!isErrno(error, 'ENODEV')) throw error;
    }
  }
}

/** The names of the links that hang on this bridge. */
export function linksOn(bridgeIndex: number): string[] {
  using rtnl = new Rtnl();
  return rtnl
    .links()
    .filter(({ master }) => master === bridgeIndex)
    .map(({ name }) => name);
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
