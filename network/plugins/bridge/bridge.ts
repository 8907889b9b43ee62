import type { Plugin, PluginCallInput, PluginNodeInput } from '../../../cni/plugin.ts';
import { CNI_ERROR, PluginError } from '../../../cni/plugin-error.ts';
import type { Result, ResultIp, ResultRoute } from '../../../cni/result.ts';
import { messageOf } from '../../../ground/fault.ts';
import { UndoStack } from '../../../ground/undo.ts';
import { O, OwnedFd, openPath } from '../../../native/fd.ts';
import { isErrno } from '../../../native/errno.ts';
import { type Link, linkDel, linkHairpin, portIsolation, Rtnl, veth } from '../../../native/netlink.ts';
import { askIpam, ipamType, releaseAddresses, withAddresses } from '../ipam.ts';
import { masqueradeOf, type PodFirewall, subjectOf } from '../pod-firewall.ts';
import {
  checkInterface,
  configureInterface,
  firstAddress,
  openPodInterface,
  removeInterface,
  split,
  sysctl,
  wantedMac,
} from '../pod-interface.ts';
import {
  ensureBridge,
  ensureGateway,
  ensureVlanInterface,
  hostName,
  randomMac,
  setPortVlans,
} from './bridge-link.ts';
import { KnownBridges } from './known-bridges.ts';
import { bridgeSettings, type BridgeSettings } from './settings.ts';

/** What the plugins that make links are made with. */
export interface LinkPluginOptions {
  firewall: PodFirewall;
}

/**
 * The plugin bridge: a pair of links, one end in the pod, the other on a bridge of the node. What it leaves in the kernel is
 * what the reference plugin of the CNI project leaves.
 */
export class Bridge implements Plugin {
  readonly type = 'bridge';
  readonly #firewall: PodFirewall;
  readonly #known = new KnownBridges();

  constructor({ firewall }: LinkPluginOptions) {
    this.#firewall = firewall;
  }

  async add(input: PluginCallInput, signal?: AbortSignal): Promise<Result> {
    const settings = bridgeSettings(input.config);
    using rtnl = new Rtnl();
    const bridge = this.#known.get(settings) ?? (await ensureBridge(rtnl, settings));
    if (ipamType(input.config) === '')
      return await this.#link(input, settings, rtnl, bridge, {
        interfaces: [],
        ips: [],
        routes: [],
        dns: {},
      });
    return await withAddresses(
      input,
      async (ipam) => await this.#link(input, settings, rtnl, bridge, ipam, signal),
      signal,
    );
  }

  async del(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const settings = bridgeSettings(input.config);
    const ips = input.prevResult?.ips ?? [];
    if (settings.ipMasq) await this.#firewall.remove(subjectOf(input), masqueradeOf(ips), signal);
    await removeInterface(input);
    await releaseAddresses(input, signal);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#firewall.settle(containerId, signal);
  }

  async check(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const { bridge } = bridgeSettings(input.config);
    await askIpam('CHECK', input, signal);
    const fail = (what: string): never => {
      throw new PluginError(this.type, CNI_ERROR.failed, what);
    };
    using rtnl = new Rtnl();
    const found = rtnl.linkByName(bridge) ?? fail(`the bridge ${bridge} is gone`);
    const port = input.prevResult?.interfaces.find(({ name, sandbox }) => name !== bridge && !sandbox);
    if (port !== undefined && rtnl.linkByName(port.name)?.master !== found.index)
      fail(`${port.name} is not on the bridge ${bridge}`);
    checkInterface(input);
  }

  async status(input: PluginNodeInput, signal?: AbortSignal): Promise<void> {
    bridgeSettings(input.config);
    await askIpam('STATUS', input, signal);
  }

  async gc(input: PluginNodeInput, signal?: AbortSignal): Promise<void> {
    await askIpam('GC', input, signal);
  }

  async #link(
    input: PluginCallInput,
    settings: BridgeSettings,
    rtnl: Rtnl,
    bridge: Link,
    ipam: Result,
    signal?: AbortSignal,
  ): Promise<Result> {
    const port = hostName();
    // Given and not left to the kernel: so they need not be asked for.
    const macs = { port: randomMac(), pod: wantedMac(input) ?? randomMac() };
    const mtu = settings.mtu ?? bridge.mtu;
    const undo = new UndoStack();
    try {
      await makePair(input, settings, rtnl, { bridge, port, macs, mtu });
      undo.push('link', async () => await deletePort(rtnl, port));
      const ips = ipam.ips.map((ip): ResultIp => ({ ...ip, gateway: gatewayOf(ip, settings), interface: 2 }));
      const routes = [...ipam.routes, ...defaultRoutes(ips, ipam.routes, settings)];
      const pod = openPodInterface(input, ips, { onBridge: true });
      using _socket = pod.rtnl;
      if (!settings.disableContainerInterface) await configureInterface(pod, { ips, routes });
      if (settings.isGateway) await this.#serveAsGateway(rtnl, bridge, ips, settings);
      undo.push('known bridge', async () => this.#known.forget(settings));
      if (settings.ipMasq && ips.length > 0) {
        this.#firewall.put(subjectOf(input), masqueradeOf(ips));
      }
      signal?.throwIfAborted();
      undo.keep();
      const mac = this.#known.macOf(rtnl, bridge, settings);
      return {
        interfaces: [
          { name: bridge.name, mac, mtu: bridge.mtu },
          { name: port, mac: macs.port, mtu },
          { name: input.ifName, mac: macs.pod, mtu, sandbox: input.netns },
        ],
        ips,
        routes,
        dns: dnsOf(input, ipam),
      };
    } catch (error) {
      const failed = await undo.rollback();
      if (failed.length === 0) throw error;
      const left = failed.map((one) => `${one.name}: ${messageOf(one.error)}`).join('; ');
      throw new PluginError(this.type, CNI_ERROR.failed, messageOf(error), `and undoing it failed: ${left}`);
    }
  }

  async #serveAsGateway(rtnl: Rtnl, bridge: Link, ips: ResultIp[], settings: BridgeSettings): Promise<void> {
    const link = settings.vlan === 0 ? bridge : await ensureVlanInterface(rtnl, bridge, settings);
    for (const { address, gateway } of ips) {
      if (gateway === undefined) continue;
      const { prefix, family } = split(address);
      if (this.#known.serves(settings, `${gateway}/${prefix}`)) continue;
      if (family === 6) for (const name of new Set([bridge.name, link.name])) keepAddresses(name);
      await ensureGateway(rtnl, link, `${gateway}/${prefix}`, settings.forceAddress);
      sysctl(family === 4 ? 'ipv4/ip_forward' : 'ipv6/conf/all/forwarding', '1');
      // It keeps its hardware address from now on.
      this.#known.keep(settings, rtnl.linkByName(bridge.name), `${gateway}/${prefix}`);
    }
  }
}

/** An IPv6 gateway address is usable at once, and the link has IPv6. */
function keepAddresses(name: string): void {
  sysctl(`ipv6/conf/${name}/accept_dad`, '0');
  sysctl(`ipv6/conf/${name}/disable_ipv6`, '0');
}

async function makePair(
  input: PluginCallInput,
  settings: BridgeSettings,
  rtnl: Rtnl,
  pair: { bridge: Link; port: string; macs: { port: string; pod: string }; mtu: number },
): Promise<void> {
  using netns = new OwnedFd(openPath(input.netns, O.RDONLY));
  const { bridge, port, macs, mtu } = pair;
  await rtnl.execInPool([
    veth({
      host: port,
      hostMac: macs.port,
      master: bridge.index,
      mtu,
      peer: input.ifName,
      peerNetns: netns.fd,
      peerMac: macs.pod,
    }),
    linkHairpin(port, settings.hairpinMode),
    ...(settings.portIsolation ? [portIsolation(port, true)] : []),
  ]);
  await setPortVlans(rtnl, port, settings);
}

async function deletePort(rtnl: Rtnl, port: string): Promise<void> {
  try {
    await rtnl.execInPool([linkDel(port)]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

function gatewayOf({ address, gateway }: ResultIp, { isGateway }: BridgeSettings): string | undefined {
  return gateway ?? (isGateway ? firstAddress(address) : undefined);
}

/** With isDefaultGateway: one of each family that has none yet, over its first gateway. */
function defaultRoutes(
  ips: readonly ResultIp[],
  routes: readonly ResultRoute[],
  { isDefaultGateway }: BridgeSettings,
): ResultRoute[] {
  if (!isDefaultGateway) return [];
  return (['0.0.0.0/0', '::/0'] as const).flatMap((dst) => {
    const { family } = split(dst);
    const gw = ips.find((ip) => ip.gateway !== undefined && split(ip.address).family === family)?.gateway;
    return gw === undefined || routes.some((route) => route.dst === dst) ? [] : [{ dst, gw }];
  });
}

/** The configuration's own `dns` wins over what IPAM says. */
function dnsOf({ config }: PluginCallInput, ipam: Result): Result['dns'] {
  const own = config['dns'];
  return typeof own === 'object' && own !== null && Object.keys(own).length > 0 ? own : ipam.dns;
}
