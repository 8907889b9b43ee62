import { randomBytes } from 'node:crypto';
import { CNI_ERROR, PluginError } from '../../../cni/plugin-error.ts';
import { isErrno } from '../../../native/errno.ts';
import {
  addrDel,
  bridge,
  bridgeVlanFiltering,
  type Link,
  linkPromiscuous,
  linkSet,
  linkUp,
  portVlan,
  type Rtnl,
  veth,
} from '../../../native/netlink.ts';
import { giveAddress, networkOf, split, sysctl } from '../pod-interface.ts';
import type { BridgeSettings } from './settings.ts';

/** The VLAN that the kernel gives every port of a bridge. */
const DEFAULT_VLAN = 1;

/**
 * The bridge, made if it is missing; an existing one is taken as it is, with the switches that are asked for turned
 * on. Throws PluginError when a link of that name is no bridge.
 */
export async function ensureBridge(rtnl: Rtnl, settings: BridgeSettings): Promise<Link> {
  const { bridge: name, mtu, promiscMode } = settings;
  const vlanFiltering = settings.vlan !== 0 || settings.vlanTrunk.length > 0;
  let link = rtnl.linkByName(name);
  if (link === undefined) {
    try {
      await rtnl.execInPool([bridge({ name, mtu, vlanFiltering })]);
    } catch (error) {
      // Another pod's call was faster.
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    link = rtnl.linkByName(name);
    // Its addresses and routes are ours to give.
    sysctl(`ipv6/conf/${name}/accept_ra`, '0');
  } else if (vlanFiltering && link.kind === 'bridge')
    await rtnl.execInPool([bridgeVlanFiltering(link.index, true)]);
  if (link?.kind !== 'bridge')
    throw new PluginError('bridge', CNI_ERROR.failed, `${name} exists, and is ${link?.kind || 'no bridge'}`);
  const changes = [
    ...(promiscMode ? [linkPromiscuous(link.index, true)] : []),
    ...(link.up ? [] : [linkUp(link.index)]),
  ];
  if (changes.length > 0) await rtnl.execInPool(changes);
  return link;
}

/**
 * Gives the gateway address to the bridge. Another one of the same family that overlaps is an error, unless it may be
 * replaced. From then on the bridge keeps its hardware address: it would follow its ports otherwise, and pods' tables of
 * neighbours would be wrong.
 */
export async function ensureGateway(
  rtnl: Rtnl,
  link: Link,
  gateway: string,
  forceAddress: boolean,
): Promise<void> {
  const { address, prefix, family } = split(gateway);
  const present = rtnl.addrs().filter((one) => one.index === link.index && one.family === family);
  if (present.some((one) => one.address === address && one.prefix === prefix)) return;
  const others = present.filter(
    (one) => one.scope !== LINK_SCOPE && (family === 4 || overlaps(one, gateway)),
  );
  if (others.length > 0 && !forceAddress) {
    const has = others.map((one) => `${one.address}/${one.prefix}`).join(', ');
    throw new PluginError(
      'bridge',
      CNI_ERROR.failed,
      `${link.name} has an address other than ${gateway}: ${has}`,
    );
  }
  if (others.length > 0)
    await rtnl.execInPool(
      others.map((one) => addrDel({ index: link.index, address: one.address, prefix: one.prefix })),
    );
  try {
    await rtnl.execInPool([giveAddress(link.index, gateway)]);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  const mac = rtnl.linkByName(link.name)?.mac;
  if (mac !== undefined) await rtnl.execInPool([linkSet(link.index, { mac })]);
}

const LINK_SCOPE = 253;

function overlaps(one: { address: string; prefix: number }, gateway: string): boolean {
  const prefix = Math.min(one.prefix, split(gateway).prefix);
  const within = (address: string): string => networkOf(`${split(address).address}/${prefix}`);
  return within(one.address) === within(gateway);
}

/**
 * The interface through which the node itself takes part in a VLAN of the bridge, `<bridge>.<vlan>`: it carries the
 * gateway address.
 */
export async function ensureVlanInterface(rtnl: Rtnl, link: Link, settings: BridgeSettings): Promise<Link> {
  const name = `${settings.bridge}.${settings.vlan}`;
  const found = rtnl.linkByName(name);
  if (found !== undefined) return found;
  const port = hostName();
  await rtnl.execInPool([veth({ host: port, master: link.index, mtu: link.mtu, peer: name })]);
  await setPortVlans(rtnl, port, { ...settings, vlanTrunk: [] });
  const made = rtnl.linkByName(name);
  if (made === undefined) throw new PluginError('bridge', CNI_ERROR.failed, `${name} went away at once`);
  await rtnl.execInPool([linkUp(made.index)]);
  return made;
}

/** Puts a port into the VLANs that the configuration gives it. */
export async function setPortVlans(rtnl: Rtnl, port: string, settings: BridgeSettings): Promise<void> {
  const { vlan, vlanTrunk, preserveDefaultVlan } = settings;
  if (vlan === 0 && vlanTrunk.length === 0) return;
  const index = rtnl.linkByName(port)?.index;
  if (index === undefined) throw new PluginError('bridge', CNI_ERROR.failed, `${port} went away at once`);
  const leaves = !preserveDefaultVlan && vlan !== DEFAULT_VLAN && !vlanTrunk.includes(DEFAULT_VLAN);
  await rtnl.execInPool([
    ...(leaves ? [portVlan(index, DEFAULT_VLAN, { untagged: true, remove: true })] : []),
    ...(vlan === 0 ? [] : [portVlan(index, vlan, { untagged: true })]),
    ...vlanTrunk.map((id) => portVlan(index, id, { untagged: false })),
  ]);
}

/** A name for the end of a pair on the node, as the reference plugin makes them. */
export function hostName(): string {
  return `veth${randomBytes(4).toString('hex')}`;
}

/** A hardware address of our own: one station, given by software. */
export function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = (bytes[0]! & 0xfc) | 2;
  return bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}
