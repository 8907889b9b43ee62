import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import {
  addrAdd,
  addrDel,
  forwardAdd,
  forwardDel,
  type Link,
  linkDel,
  linkSet,
  linkUp,
  neighAdd,
  neighDel,
  routeAdd,
  routeDel,
  type RtMessage,
  Rtnl,
  vxlan,
} from '../../native/netlink.ts';
import { addressFamily, type PodRange } from '../pod-range.ts';
import { sysctl } from '../plugins/pod-interface.ts';
import type { PeerPlan } from './cluster-node.ts';
import { vxlanMac } from './cluster-node.ts';

export interface VxlanSettings {
  name: string;
  vni: number;
  port: number;
}

/** What VXLAN puts around a frame: outer IP header, UDP, VXLAN header, inner Ethernet header. */
const OVERHEAD = { 4: 50, 6: 70 } as const;
const MAX_MTU = 65_535;

/** The first of these addresses that a link of this node has. */
export function presentAddress(addresses: readonly string[]): string | undefined {
  using rtnl = new Rtnl();
  const present = new Set(rtnl.addrs().map(({ address }) => address));
  return addresses.find((address) => present.has(address));
}

/**
 * The node's end of the VXLAN, made if it is missing, and made anew when it has other properties. Its MTU leaves room
 * for what VXLAN adds to a packet on the link that carries the node's address. It has the gateways of the node's own
 * ranges as addresses: else what the node masquerades into the VXLAN (kube-proxy does) would come from an address that
 * answers take another way to. Throws Fault `precondition` when no link has the node's address, or a link of that name
 * is something else.
 */
export async function ensureVxlan(
  settings: VxlanSettings,
  own: { name: string; address: string; ranges: readonly PodRange[] },
): Promise<Link> {
  using rtnl = new Rtnl();
  const { name, vni, port } = settings;
  const { address: local, ranges } = own;
  const mac = vxlanMac(own.name);
  const carrier = rtnl.addrs().find(({ address }) => address === local)?.index;
  const uplink = rtnl.links().find(({ index }) => index === carrier);
  if (uplink === undefined)
    throw new Fault('precondition', `No link of this node has its address ${local}`, {
      hint: 'the Node object must show an address that the node has',
    });
  // The loopback's is larger than what a link may have.
  const mtu = Math.min(uplink.mtu, MAX_MTU) - OVERHEAD[addressFamily(local) ?? 4];
  let link = rtnl.linkByName(name);
  if (link !== undefined && link.vxlan === undefined)
    throw new Fault('precondition', `The link ${name} exists, and is ${link.kind || 'no vxlan'}`);
  const same = link?.vxlan?.vni === vni && link.vxlan.port === port && link.vxlan.local === local;
  if (link !== undefined && !same) {
    await rtnl.execInPool([linkDel(link.index)]);
    link = undefined;
  }
  if (link === undefined) {
    await rtnl.execInPool([vxlan({ name, vni, port, local, mtu, mac })]);
    link = rtnl.linkByName(name);
    if (link === undefined) throw new Fault('internal', `The link ${name} went away at once`);
  }
  const { index } = link;
  // Its only neighbours are the other nodes' ends, and they are known.
  sysctl(`ipv6/conf/${name}/accept_ra`, '0');
  if (ranges.some(({ family }) => family === 6)) sysctl(`ipv6/conf/${name}/disable_ipv6`, '0');
  const present = rtnl.addrs().filter((one) => one.index === index && !one.address.startsWith('fe80:'));
  const wanted = ranges.map(({ gateway, family }) => ({ address: gateway, prefix: family === 4 ? 32 : 128 }));
  const differs = (
    one: { address: string; prefix: number },
    all: readonly { address: string; prefix: number }[],
  ): boolean => !all.some(({ address, prefix }) => address === one.address && prefix === one.prefix);
  await rtnl.execInPool([
    ...(link.mtu === mtu && link.mac === mac ? [] : [linkSet(index, { mtu, mac })]),
    ...(link.up ? [] : [linkUp(index)]),
    ...present
      .filter((one) => differs(one, wanted))
      .map(({ address, prefix }) => addrDel({ index, address, prefix })),
    ...wanted
      .filter((one) => differs(one, present))
      .map(({ address, prefix }) => addrAdd({ index, address, prefix })),
  ]);
  return { ...link, mtu, mac };
}

/** Takes the link away, if there is one and it is a VXLAN's end. Whether it did. */
export async function removeVxlan(name: string): Promise<boolean> {
  using rtnl = new Rtnl();
  const link = rtnl.linkByName(name);
  if (link?.vxlan === undefined) return false;
  await rtnl.execInPool([linkDel(link.index)]);
  return true;
}

/**
 * Makes the link lead to these peers and to nobody else: for each a permanent neighbour (the gateway of its range has
 * its hardware address), a forwarding entry (that hardware address is behind its node's address) and a route. Entries
 * that are right stay untouched, so that traffic to other nodes never pauses. `sources`: this node's own gateways, the
 * addresses that its own processes send from. How many entries were changed.
 */
export async function leadTo(
  link: Link,
  peers: readonly PeerPlan[],
  sources: readonly PodRange[],
): Promise<number> {
  using rtnl = new Rtnl();
  const { index } = link;
  const ranges = peers.flatMap((peer) => peer.ranges.map((range) => ({ peer, range })));
  const has = <T extends { index?: number | undefined }>(all: T[]): T[] =>
    all.filter((one) => one.index === index);
  const forwards = has(rtnl.forwards()).filter(({ mac }) => mac !== '' && mac !== '00:00:00:00:00:00');
  const neighbours = has(rtnl.neighbours()).filter(({ permanent }) => permanent);
  const routes = has(rtnl.routes()).filter(({ table, gateway }) => table === MAIN && gateway !== undefined);
  const sourceOf = (family: 4 | 6): string | undefined =>
    sources.find((range) => range.family === family)?.gateway;

  const key = (...parts: (string | undefined)[]): string => parts.join(' ');
  // Looked up and not searched: a cluster may have thousands of nodes.
  const led = new Set(routes.map((one) => key(one.destination, one.gateway, one.source)));
  const paired = new Set(neighbours.map(({ address, mac }) => key(address, mac)));
  const forwarded = new Set(forwards.map(({ mac, address }) => key(mac, address)));
  const wantedRoutes = new Set(ranges.map(({ range }) => key(range.cidr, range.gateway)));
  const wantedNeighbours = new Set(ranges.map(({ range }) => range.gateway));
  const wantedForwards = new Set(peers.map(({ mac, address }) => key(mac, address)));

  const wanted: RtMessage[] = [
    ...peers
      .filter(({ mac, address }) => !forwarded.has(key(mac, address)))
      .map(({ mac, address }) => forwardAdd({ index, mac, address })),
    ...ranges
      .filter(({ peer, range }) => !paired.has(key(range.gateway, peer.mac)))
      .map(({ peer, range }) => neighAdd({ index, address: range.gateway, mac: peer.mac })),
    ...ranges
      .filter(({ range }) => !led.has(key(range.cidr, range.gateway, sourceOf(range.family))))
      .map(({ range }) =>
        routeAdd({
          index,
          destination: range.cidr,
          gateway: range.gateway,
          onlink: true,
          source: sourceOf(range.family),
          replace: true,
        }),
      ),
  ];
  const unwanted: RtMessage[] = [
    ...routes
      .filter(({ destination, gateway }) => !wantedRoutes.has(key(destination, gateway)))
      .map(({ destination, gateway }) => routeDel({ index, destination, gateway: gateway! })),
    ...neighbours
      .filter(({ address }) => !wantedNeighbours.has(address))
      .map(({ address }) => neighDel({ index, address })),
    ...forwards
      .filter(({ mac, address }) => !wantedForwards.has(key(mac, address)))
      .map(({ mac, address }) => forwardDel({ index, mac, address })),
  ];
  for (const message of unwanted)
    try {
      await rtnl.execInPool([message]);
    } catch (error) {
      // Somebody else was faster.
      if (!isErrno(error, 'ENOENT', 'ESRCH')) throw error;
    }
  if (wanted.length > 0) await rtnl.execInPool(wanted);
  return wanted.length + unwanted.length;
}

const MAIN = 254;
