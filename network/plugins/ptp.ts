import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginConfig, PluginNodeInput } from '../../cni/plugin.ts';
import type { Result, ResultIp } from '../../cni/result.ts';
import { O, OwnedFd, openPath } from '../../native/fd.ts';
import { linkDel, routeAdd, routeDel, Rtnl, veth } from '../../native/netlink.ts';
import type { LinkPluginOptions } from './bridge/bridge.ts';
import { hostName } from './bridge/bridge-link.ts';
import { askIpam, releaseAddresses, withAddresses } from './ipam.ts';
import { masqueradeOf, subjectOf } from './pod-firewall.ts';
import {
  checkInterface,
  configureInterface,
  firstAddress,
  giveAddress,
  networkOf,
  openPodInterface,
  removeInterface,
  split,
  sysctl,
} from './pod-interface.ts';

/**
 * The plugin ptp: a pair of links of its own for each pod, without a bridge. The end on the node has the gateway's
 * address and the route to the pod; the pod sends everything, neighbours included, by way of the node.
 */
export class Ptp implements Plugin {
  readonly type = 'ptp';
  readonly #options: LinkPluginOptions;

  constructor(options: LinkPluginOptions) {
    this.#options = options;
  }

  async add(input: PluginCallInput, signal?: AbortSignal): Promise<Result> {
    const { ipMasq, mtu } = settingsOf(input.config);
    return await withAddresses(
      input,
      async (ipam) => {
        const port = hostName();
        using rtnl = new Rtnl();
        using undo = new DisposableStack();
        await makePair(rtnl, input, port, mtu);
        undo.defer(() => rtnl.exec([linkDel(port)]));
        const ips = ipam.ips.map((ip): ResultIp => ({
          ...ip,
          gateway: ip.gateway ?? firstAddress(ip.address),
          interface: 1,
        }));
        const pod = openPodInterface(input, ips, { onBridge: false });
        using inside = pod.rtnl;
        await configureInterface(pod, { ips, routes: ipam.routes });
        await leadByGateway(pod, ips);
        await leadToPod(rtnl, port, ips);
        if (ipMasq) this.#options.firewall.put(subjectOf(input), masqueradeOf(ips));
        undo.move();
        return {
          interfaces: [entry(rtnl, port), { ...entry(inside, input.ifName), sandbox: input.netns }],
          ips,
          routes: ipam.routes,
          dns: dnsOf(input.config, ipam),
        };
      },
      signal,
    );
  }

  async del(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const { ipMasq } = settingsOf(input.config);
    const ips = input.prevResult?.ips ?? [];
    if (ipMasq) await this.#options.firewall.remove(subjectOf(input), masqueradeOf(ips), signal);
    await removeInterface(input);
    await releaseAddresses(input, signal);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#options.firewall.settle(containerId, signal);
  }

  async check(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    await askIpam('CHECK', input, signal);
    checkInterface(input);
  }

  async status(input: PluginNodeInput, signal?: AbortSignal): Promise<void> {
    settingsOf(input.config);
    await askIpam('STATUS', input, signal);
  }

  async gc(input: PluginNodeInput, signal?: AbortSignal): Promise<void> {
    await askIpam('GC', input, signal);
  }
}

function settingsOf(config: PluginConfig): { ipMasq: boolean; mtu: number | undefined } {
  const { ipMasq = false, mtu = 0 } = config;
  if (typeof ipMasq !== 'boolean')
    throw new PluginError('ptp', CNI_ERROR.invalidConfig, 'ipMasq is neither true nor false');
  if (typeof mtu !== 'number' || !Number.isInteger(mtu) || mtu < 0 || mtu > 65_535)
    throw new PluginError('ptp', CNI_ERROR.invalidConfig, `mtu ${JSON.stringify(mtu)} is no size of packets`);
  return { ipMasq, mtu: mtu === 0 ? undefined : mtu };
}

async function makePair(rtnl: Rtnl, input: PluginCallInput, port: string, mtu?: number): Promise<void> {
  using netns = new OwnedFd(openPath(input.netns, O.RDONLY));
  await rtnl.execInPool([veth({ host: port, mtu, peer: input.ifName, peerNetns: netns.fd })]);
}

/** In the pod: nothing is on the link but the gateway; the own network, too, is reached by way of it. */
async function leadByGateway({ rtnl, index }: { rtnl: Rtnl; index: number }, ips: ResultIp[]): Promise<void> {
  await rtnl.execInPool(
    ips.flatMap(({ address, gateway }) => {
      const { address: source, family } = split(address);
      const destination = networkOf(address);
      return [
        routeDel({ index, destination }),
        routeAdd({
          index,
          destination: single(gateway!, family),
          source,
          scope: SCOPE_LINK,
          protocol: 'boot',
        }),
        routeAdd({ index, destination, gateway, source, protocol: 'boot' }),
      ];
    }),
  );
}

/** On the node: the gateway's address on the link, and the route to the pod. */
async function leadToPod(rtnl: Rtnl, port: string, ips: ResultIp[]): Promise<void> {
  const index = rtnl.linkByName(port)?.index;
  if (index === undefined) throw new PluginError('ptp', CNI_ERROR.failed, `${port} went away at once`);
  if (ips.some(({ address }) => split(address).family === 6)) sysctl(`ipv6/conf/${port}/accept_dad`, '0');
  await rtnl.execInPool(
    ips.flatMap(({ address, gateway }) => {
      const { address: pod, family } = split(address);
      return [
        giveAddress(index, single(gateway!, family)),
        routeAdd({ index, destination: single(pod, family), scope: SCOPE_HOST, protocol: 'boot' }),
      ];
    }),
  );
  for (const { address } of ips)
    sysctl(split(address).family === 4 ? 'ipv4/ip_forward' : 'ipv6/conf/all/forwarding', '1');
}

const SCOPE_LINK = 253;
const SCOPE_HOST = 254;

function single(address: string, family: 4 | 6): string {
  return `${address}/${family === 4 ? 32 : 128}`;
}

function entry(rtnl: Rtnl, name: string): { name: string; mac: string; mtu?: number } {
  const link = rtnl.linkByName(name);
  return { name, mac: link?.mac ?? '', ...(link !== undefined && { mtu: link.mtu }) };
}

function dnsOf(config: PluginConfig, ipam: Result): Result['dns'] {
  const own = config['dns'];
  return typeof own === 'object' && own !== null && Object.keys(own).length > 0 ? own : ipam.dns;
}
