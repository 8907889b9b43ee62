import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import {
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

/**
 * The node's end of the VXLAN, made if it is missing, and made anew when it has other properties. Its MTU leaves room
 * for what VXLAN adds to a packet on the link that carries the node's address. Throws Fault `precondition` when
 * no link does, or a link of that name is something else.
 */
export async function ensureVxlan(settings: VxlanSettings, local: string): Promise<Link> {
  using rtnl = new Rtnl();
  const { name, vni, port } = settings;
  const mac = vxlanMac(local);
  const carrier = rtnl.addrs().find(({ address }) => address === local)?.index;
  const uplink = rtnl.links().find(({ index }) => index === carrier);
  if (uplink === undefined)
    throw new Fault('precondition', `No link of this node has its address ${local}`, {
      hint: 'the Node object must show an address that the node has',
    });
  const mtu = uplink.mtu - OVERHEAD[addressFamily(local) ?? 4];
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
  // Its only neighbours are the other nodes' ends, and they are known.
  sysctl(`ipv6/conf/${name}/accept_ra`, '0');
  await rtnl.execInPool([
    ...(link.mtu === mtu && link.mac === mac ? [] : [linkSet(link.index, { mtu, mac })]),
    ...(link.up ? [] : [linkUp(link.index)]),
  ]);
  return { ...link, mtu, mac };
}

/**
 * Makes the link lead to these peers and to nobody else: for each a permanent neighbour (the gateway of its range has
 * its hardware address), a forwarding entry (that hardware address is behind its node's address) and a route. Entries
 * that are right stay untouched, so that traffic to other nodes never pauses. `sources`: this node's own gateways, the addresses that
 * its own processes send from. How many entries were changed.
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

  const wanted: RtMessage[] = [
    ...peers
      .filter(({ mac, address }) => !forwards.some((one) => one.mac === mac && one.address === address))
      .map(({ mac, address }) => forwardAdd({ index, mac, address })),
    ...ranges
      .filter(
        ({ peer, range }) => !neighbours.some((one) => one.address === range.gateway && one.mac === peer.mac),
      )
      .map(({ peer, range }) => neighAdd({ index, address: range.gateway, mac: peer.mac })),
    ...ranges
      .filter(
        ({ range }) => !routes.some((one) => one.destination === range.cidr && one.gateway === range.gateway),
      )
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
      .filter(
        ({ destination, gateway }) =>
          !ranges.some(({ range }) => range.cidr === destination && range.gateway === gateway),
      )
      .map(({ destination, gateway }) => routeDel({ index, destination, gateway: gateway! })),
    ...neighbours
      .filter(({ address }) => !ranges.some(({ range }) => range.gateway === address))
      .map(({ address }) => neighDel({ index, address })),
    ...forwards
      .filter(({ mac, address }) => !peers.some((peer) => peer.mac === mac && peer.address === address))
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
