import { readFileSync, writeFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';
import { isJsonObject } from '../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { PluginCallInput } from '../../cni/plugin.ts';
import type { Result, ResultIp, ResultRoute } from '../../cni/result.ts';
import { isErrno } from '../../native/errno.ts';
import { inNetns, isNsfs } from '../../native/namespaces.ts';
import { addrAdd, linkDel, linkIndex, linkUp, routeAdd, Rtnl, type RtMessage } from '../../native/netlink.ts';
import { numberOf, textOf } from '../ip-number.ts';

/** An address with its prefix length taken apart. */
export function split(address: string): { address: string; prefix: number; family: 4 | 6 } {
  const [text, length] = address.split('/') as [string, string];
  return { address: text, prefix: Number(length), family: text.includes(':') ? 6 : 4 };
}

/** The network that an address with prefix length is in: `10.1.0.7/24` gives `10.1.0.0/24`. */
export function networkOf(address: string): string {
  return `${inNetwork(address, 0n)}/${split(address).prefix}`;
}

/** The first address of the network that an address with prefix length is in: the usual gateway. */
export function firstAddress(address: string): string {
  return inNetwork(address, 1n);
}

function inNetwork(text: string, offset: bigint): string {
  const { address, prefix, family } = split(text);
  const hostBits = BigInt((family === 4 ? 32 : 128) - prefix);
  return textOf(((numberOf(ipaddr.parse(address)) >> hostBits) << hostBits) + offset, family);
}

/** The message that gives a link an address, as CNI plugins do: with a broadcast address where IPv4 has one. */
export function giveAddress(index: number, text: string): RtMessage {
  const { address, prefix, family } = split(text);
  const broadcast =
    family === 4 && prefix < 31 ? ipaddr.IPv4.broadcastAddressFromCIDR(text).toString() : undefined;
  return addrAdd({ index, address, prefix, broadcast });
}

/** A route of a result, over the first gateway of its family when it names none. */
export function giveRoute(index: number, route: ResultRoute, ips: readonly ResultIp[]): RtMessage {
  const family = split(route.dst).family;
  const gateway =
    route.gw ?? ips.find((ip) => ip.gateway !== undefined && split(ip.address).family === family)?.gateway;
  return routeAdd({
    index,
    destination: route.dst,
    gateway,
    protocol: 'boot',
    metric: route.priority,
    table: route.table,
    mtu: route.mtu,
    advmss: route.advmss,
    scope: route.scope ?? 0,
  });
}

/**
 * Opens the pod's side of a link and prepares it: switches of IPv6 as its addresses need them. Returns a socket in the pod's namespace;
 * `index` is of the interface.
 */
export function openPodInterface(
  { netns, ifName }: Pick<PluginCallInput, 'netns' | 'ifName'>,
  ips: readonly ResultIp[],
  options: { onBridge: boolean },
): { rtnl: Rtnl; index: number } {
  return inNetns(netns, () => {
    if (options.onBridge) {
      // Neighbours hear of the address at once, and nobody else has it: the kernel need not ask for it.
      sysctl(`ipv4/conf/${ifName}/arp_notify`, '1');
      sysctl(`ipv6/conf/${ifName}/accept_dad`, '0');
    }
    if (ips.some(({ address }) => split(address).family === 6))
      sysctl(`ipv6/conf/${ifName}/disable_ipv6`, '0');
    const index = linkIndex(ifName);
    if (index !== undefined) return { rtnl: new Rtnl(), index };
    throw new PluginError('', CNI_ERROR.failed, `no interface ${ifName} in ${netns}`);
  });
}

/** Brings the interface up and gives it the addresses and routes of a result. */
export async function configureInterface(
  { rtnl, index }: { rtnl: Rtnl; index: number },
  { ips, routes }: Pick<Result, 'ips' | 'routes'>,
): Promise<void> {
  await rtnl.execInPool([
    linkUp(index),
    ...ips.map(({ address }) => giveAddress(index, address)),
    ...routes.map((route) => giveRoute(index, route, ips)),
  ]);
}

/** Takes the pod's interface away, if it and its namespace are still there. Slow: the kernel waits for all CPUs. */
export async function removeInterface({
  netns,
  ifName,
}: Pick<PluginCallInput, 'netns' | 'ifName'>): Promise<void> {
  if (netns === '' || !isNsfs(netns)) return;
  using pod = inNetns(netns, () => new Rtnl());
  try {
    await pod.execInPool([linkDel(ifName)]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/** Throws when the pod's interface has not the addresses and routes that the result says. */
export function checkInterface(input: PluginCallInput): void {
  const { netns, ifName, prevResult, config } = input;
  const fail = (what: string): never => {
    throw new PluginError(config.type, CNI_ERROR.failed, what);
  };
  if (prevResult === undefined) return fail('CHECK needs prevResult');
  using pod = inNetns(netns, () => new Rtnl());
  const link = pod.linkByName(ifName) ?? fail(`no interface ${ifName} in ${netns}`);
  if (!link.up) fail(`interface ${ifName} is down`);
  const said = prevResult.interfaces.find(({ name, sandbox }) => name === ifName && Boolean(sandbox));
  if (said?.mac !== undefined && said.mac !== '' && said.mac !== link.mac)
    fail(`interface ${ifName} has the hardware address ${link.mac}, not ${said.mac}`);
  const present = pod
    .addrs()
    .filter(({ index }) => index === link.index)
    .map(({ address, prefix }) => `${address}/${prefix}`);
  for (const { address, interface: index } of prevResult.ips)
    if ((index === undefined || prevResult.interfaces[index] === said) && !present.includes(address))
      fail(`interface ${ifName} has lost its address ${address}`);
  const routes = pod.routes().filter(({ index }) => index === link.index);
  for (const { dst } of prevResult.routes) {
    const destination = split(dst).prefix === 0 ? 'default' : dst;
    if (!routes.some((route) => route.destination === destination && route.family === split(dst).family))
      fail(`interface ${ifName} has lost its route to ${dst}`);
  }
}

/** The hardware address that the caller asks for: capability `mac`, `args.cni.mac`, or `MAC` in CNI_ARGS. */
export function wantedMac({ config, args }: Pick<PluginCallInput, 'config' | 'args'>): string | undefined {
  const runtime = config['runtimeConfig'];
  const cni = isJsonObject(config['args']) ? config['args']['cni'] : undefined;
  const given = [
    isJsonObject(runtime) ? runtime['mac'] : undefined,
    isJsonObject(cni) ? cni['mac'] : undefined,
    args['MAC'],
    config['mac'],
  ].find((value) => typeof value === 'string' && value !== '') as string | undefined;
  if (given !== undefined && !/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(given))
    throw new PluginError(
      config.type,
      CNI_ERROR.invalidConfig,
      `${JSON.stringify(given)} is no hardware address`,
    );
  return given;
}

/**
 * Writes a switch below /proc/sys/net of the thread's namespace; where the kernel has none, nothing. One that stands so
 * already is not written: for some the kernel takes its lock of link changes, and spins while another one has it.
 */
export function sysctl(name: string, value: string): void {
  try {
    if (readFileSync(`/proc/sys/net/${name}`, 'latin1').trim() === value) return;
    writeFileSync(`/proc/sys/net/${name}`, value);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
