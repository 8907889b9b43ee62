import { isJsonObject } from '../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginConfig } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { Rtnl } from '../../native/netlink.ts';
import { forgetUdpFlows } from '../host-port-flows.ts';
import type { HostPort } from '../pod-network.ts';
import { addressFamily } from '../pod-range.ts';
import { type HostPortSettings, type PodFirewall, type PodWish, subjectOf } from './pod-firewall.ts';
import { split, sysctl } from './pod-interface.ts';
import { servedPorts, SET_MARK } from './portmap-rules.ts';

const DEFAULT_MARK_BIT = 13;

type HostPortWish = Extract<PodWish, { kind: 'host-ports' }>;

const NOTHING: HostPortSettings = {
  ports: [],
  snat: true,
  markChain: SET_MARK,
  markBit: DEFAULT_MARK_BIT,
  conditions: { 4: '', 6: '' },
};

/**
 * The plugin portmap: leads ports of the node to the pod; where iptables serves, by the same rules as the reference plugin. Without
 * port mappings it does nothing at all. Connections of UDP that the kernel tracks are forgotten on ADD and DEL: a client that never
 * pauses would go on to where the port led before.
 */
export class Portmap implements Plugin {
  readonly type = 'portmap';
  readonly #firewall: PodFirewall;

  constructor({ firewall }: { firewall: PodFirewall }) {
    this.#firewall = firewall;
  }

  async add(input: PluginCallInput): Promise<Result> {
    const { prevResult } = input;
    if (prevResult === undefined)
      throw new PluginError(this.type, CNI_ERROR.invalidConfig, 'must be called as a chained plugin');
    const wish = this.#wish(input, prevResult);
    const { settings, ips } = wish;
    if (!ips.some((ip) => servedPorts(settings, split(ip).family).length > 0))
      return await Promise.resolve(prevResult);
    if (settings.snat) openLoopback(ips);
    this.#firewall.put(subjectOf(input), wish, async () => await forgetFlows(settings, ips));
    return prevResult;
  }

  async del(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    let wish: HostPortWish;
    try {
      wish = this.#wish(input, input.prevResult);
    } catch {
      // ADD has refused it. Runtimes stop at the first DEL that fails: the plugins before this one would keep all.
      await this.#firewall.remove(
        subjectOf(input),
        { kind: 'host-ports', settings: NOTHING, ips: [] },
        signal,
      );
      return;
    }
    if (wish.settings.ports.length === 0) return;
    await this.#firewall.remove(subjectOf(input), wish, signal);
    await forgetFlows(wish.settings, wish.ips);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#firewall.settle(containerId, signal);
  }

  async check(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const wish = this.#wish(input, input.prevResult);
    if (wish.settings.ports.length === 0) return;
    if (await this.#firewall.has(subjectOf(input), wish, signal)) return;
    throw new PluginError(this.type, CNI_ERROR.failed, 'rules of the port mappings are gone');
  }

  #wish({ config }: PluginCallInput, result: Result | undefined): HostPortWish {
    const settings = settingsOf(config, this.#firewall.kind);
    return { kind: 'host-ports', settings, ips: result === undefined ? [] : podIps(result) };
  }
}

function settingsOf(config: PluginConfig, kind: PodFirewall['kind']): HostPortSettings {
  const refuse = (what: string): never => {
    throw new PluginError('portmap', CNI_ERROR.invalidConfig, what);
  };
  const runtime = isJsonObject(config['runtimeConfig']) ? config['runtimeConfig'] : {};
  const given = runtime['portMappings'] ?? [];
  if (!Array.isArray(given)) return refuse('portMappings is no list');
  const markBit = config['markMasqBit'] ?? DEFAULT_MARK_BIT;
  if (typeof markBit !== 'number' || !Number.isInteger(markBit) || markBit < 0 || markBit > 31)
    return refuse('markMasqBit must be between 0 and 31');
  const external = config['externalSetMarkChain'];
  if (typeof external === 'string' && config['markMasqBit'] !== undefined)
    return refuse('externalSetMarkChain and markMasqBit exclude each other');
  const backend = config['backend'] ?? kind;
  if (backend !== kind && backend !== 'iptables')
    return refuse(`backend ${JSON.stringify(backend)} is not served: ${kind} is`);
  if (kind === 'nftables')
    for (const key of ['externalSetMarkChain', 'conditionsV4', 'conditionsV6'])
      if (config[key] !== undefined && config[key] !== null)
        return refuse(`${key} is in words of iptables, and nftables serves this node`);
  return {
    ports: given.map((each: unknown) => portOf(each, refuse)).filter(({ hostPort }) => hostPort > 0),
    snat: config['snat'] !== false,
    markChain: typeof external === 'string' ? external : SET_MARK,
    markBit,
    conditions: {
      4: conditions(config['conditionsV4'], refuse),
      6: conditions(config['conditionsV6'], refuse),
    },
  };
}

function portOf(value: unknown, refuse: (what: string) => never): HostPort {
  if (!isJsonObject(value)) return refuse(`${JSON.stringify(value)} is no port mapping`);
  const { hostPort, containerPort, protocol = 'tcp', hostIP = '' } = value;
  const name = String(protocol).toLowerCase();
  for (const port of [hostPort, containerPort])
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535)
      return refuse(`Invalid port number: ${JSON.stringify(port)}`);
  if (name !== 'tcp' && name !== 'udp' && name !== 'sctp')
    return refuse(`${JSON.stringify(protocol)} is no protocol`);
  if (typeof hostIP !== 'string' || (hostIP !== '' && addressFamily(hostIP) === undefined))
    return refuse(`hostIP ${JSON.stringify(hostIP)} is no address`);
  return {
    hostPort: hostPort as number,
    containerPort: containerPort as number,
    protocol: name,
    hostIp: hostIP,
  };
}

/** Words of a rule, one an entry. */
function conditions(value: unknown, refuse: (what: string) => never): string {
  if (value === undefined || value === null) return '';
  if (!Array.isArray(value) || !value.every((word) => typeof word === 'string' && /^[^\s"'\\]+$/.test(word)))
    return refuse('conditionsV4 and conditionsV6 are lists of words');
  return value.map((word: string) => ` ${word}`).join('');
}

/** The pod's first address of each family, as the reference plugin takes them. */
function podIps({ ips, interfaces }: Result): string[] {
  return ([4, 6] as const).flatMap(
    (family) =>
      ips.find(
        ({ address, interface: index }) =>
          split(address).family === family &&
          (index === undefined || interfaces[index] === undefined || Boolean(interfaces[index].sandbox)),
      )?.address ?? [],
  );
}

/** Lets processes of the node reach the pod by localhost: packets of loopback addresses may leave by the pod's link. */
function openLoopback(ips: string[]): void {
  const pod = ips.map(split).find(({ family }) => family === 4);
  if (pod === undefined) return;
  using rtnl = new Rtnl();
  const link = rtnl.routeTo(pod.address)?.link;
  if (link !== undefined) sysctl(`ipv4/conf/${link}/route_localnet`, '1');
}

async function forgetFlows({ ports }: HostPortSettings, ips: string[]): Promise<void> {
  await forgetUdpFlows({ id: '', addresses: ips.map((text) => split(text).address), ports });
}
