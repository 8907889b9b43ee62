import { isJsonObject } from '../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginConfig } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { Rtnl } from '../../native/netlink.ts';
import { forgetUdpFlows } from '../host-port-flows.ts';
import type { HostPort } from '../pod-network.ts';
import { addressFamily } from '../pod-range.ts';
import { networkOf, split, sysctl } from './pod-interface.ts';
import { chainName, comment, type PodChains, type PodRules, type SharedChain } from './pod-chains.ts';

const DNAT = 'CNI-HOSTPORT-DNAT';
const SET_MARK = 'CNI-HOSTPORT-SETMARK';
const MASQ = 'CNI-HOSTPORT-MASQ';
const DEFAULT_MARK_BIT = 13;
/** What the match multiport takes in one rule (iptables-extensions(8)). */
const MULTIPORT_MAX = 15;

interface Settings {
  ports: HostPort[];
  /** Connections from the pod's own network and from the node's loopback are masqueraded. */
  snat: boolean;
  /** The chain that marks what is to be masqueraded; one of another program when the configuration names it. */
  markChain: string;
  markBit: number;
  /** More matches, by family. */
  conditions: Record<4 | 6, string>;
}

/**
 * The plugin portmap: leads ports of the node to the pod, by the same iptables rules as the reference plugin. Without
 * port mappings it does nothing at all. Connections of UDP that the kernel tracks are forgotten on ADD and DEL: a client that never
 * pauses would go on to where the port led before.
 */
export class Portmap implements Plugin {
  readonly type = 'portmap';
  readonly #chains: PodChains;

  constructor({ chains }: { chains: PodChains }) {
    this.#chains = chains;
  }

  async add(input: PluginCallInput): Promise<Result> {
    const { prevResult } = input;
    if (prevResult === undefined)
      throw new PluginError(this.type, CNI_ERROR.invalidConfig, 'must be called as a chained plugin');
    const settings = settingsOf(input.config);
    if (settings.ports.length === 0) return prevResult;
    const ips = podIps(prevResult);
    const rules = rulesOf(input, settings, ips);
    if (rules.length === 0) return prevResult;
    if (settings.snat) openLoopback(ips);
    this.#chains.put(
      input.containerId,
      rules,
      sharedChains(settings),
      async () => await forgetFlows(settings, ips),
    );
    return prevResult;
  }

  async del(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    let settings: Settings;
    try {
      settings = settingsOf(input.config);
    } catch {
      // ADD has refused it. Runtimes stop at the first DEL that fails: the plugins before this one would keep all.
      await this.#chains.remove(input.containerId, remains(input), signal);
      return;
    }
    if (settings.ports.length === 0) return;
    const ips = input.prevResult === undefined ? [] : podIps(input.prevResult);
    const rules = rulesOf(input, settings, ips);
    await this.#chains.remove(input.containerId, rules.length > 0 ? rules : remains(input), signal);
    await forgetFlows(settings, ips);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#chains.settle(containerId, signal);
  }

  async check(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const settings = settingsOf(input.config);
    if (settings.ports.length === 0) return;
    const ips = input.prevResult === undefined ? [] : podIps(input.prevResult);
    if (await this.#chains.has(rulesOf(input, settings, ips), signal)) return;
    throw new PluginError(this.type, CNI_ERROR.failed, 'rules of the port mappings are gone');
  }
}

function settingsOf(config: PluginConfig): Settings {
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
  const backend = config['backend'] ?? 'iptables';
  if (backend !== 'iptables') return refuse(`backend ${JSON.stringify(backend)} is not served: iptables is`);
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

function rulesOf({ config, containerId }: PluginCallInput, settings: Settings, ips: string[]): PodRules[] {
  const name = chainName(config.name, containerId, 'DN-');
  const tag = comment(config.name, containerId, 'dnat ');
  return ips.flatMap((text): PodRules[] => {
    const { address, family } = split(text);
    const served = settings.ports.filter(({ hostIp }) => hostIp === '' || addressFamily(hostIp) === family);
    if (served.length === 0) return [];
    const entries = protocols(settings.ports).flatMap(([protocol, ports]) =>
      parts(ports).map((some) => ({
        chain: DNAT,
        rule: `-p ${protocol} ${tag} -m multiport --dports ${some.join(',')}${settings.conditions[family]} -j ${name}`,
      })),
    );
    const rules = served.flatMap(({ protocol, hostPort, containerPort, hostIp }) => {
      const any = hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
      const destination = any ? '' : `-d ${hostIp}/${family === 4 ? 32 : 128} `;
      const match = `${destination}-p ${protocol} -m ${protocol} --dport ${hostPort}`;
      const target = family === 4 ? address : `[${address}]`;
      return [
        // Answers to a pod of the same network must come by way of the node, and those to its loopback, too.
        ...(settings.snat ? [`-s ${networkOf(text)} ${match} -j ${settings.markChain}`] : []),
        ...(settings.snat && family === 4 ? [`-s 127.0.0.1/32 ${match} -j ${settings.markChain}`] : []),
        `${match} -j DNAT --to-destination ${target}:${containerPort}`,
      ];
    });
    return [{ family, table: 'nat', chain: { name, rules }, entries }];
  });
}

/** By name alone, for when the addresses are not known any more. */
function remains({ config, containerId }: PluginCallInput): PodRules[] {
  const name = chainName(config.name, containerId, 'DN-');
  return ([4, 6] as const).map((family) => ({
    family,
    table: 'nat',
    chain: { name, rules: [] },
    entries: [],
  }));
}

function protocols(ports: HostPort[]): [protocol: string, ports: number[]][] {
  return (['sctp', 'tcp', 'udp'] as const)
    .map((protocol): [string, number[]] => [
      protocol,
      ports.filter((port) => port.protocol === protocol).map(({ hostPort }) => hostPort),
    ])
    .filter(([, found]) => found.length > 0);
}

function parts(ports: number[]): number[][] {
  const count = Math.ceil(ports.length / MULTIPORT_MAX);
  return Array.from({ length: count }, (_, index) =>
    ports.slice(index * MULTIPORT_MAX, (index + 1) * MULTIPORT_MAX),
  );
}

function sharedChains({ snat, markChain, markBit }: Settings): SharedChain[] {
  const mark = `0x${(2 ** markBit).toString(16)}`;
  return ([4, 6] as const).flatMap((family): SharedChain[] => [
    ...(snat && markChain === SET_MARK
      ? [
          {
            family,
            table: 'nat' as const,
            name: SET_MARK,
            rules: [`-m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark ${mark}/${mark}`],
            jumps: [],
          },
          {
            family,
            table: 'nat' as const,
            name: MASQ,
            rules: [`-m mark --mark ${mark}/${mark} -j MASQUERADE`],
            jumps: [
              {
                from: 'POSTROUTING',
                match: '-m comment --comment "CNI portfwd requiring masquerade"',
                first: true,
              },
            ],
          },
        ]
      : []),
    {
      family,
      table: 'nat',
      name: DNAT,
      rules: [],
      jumps: ['PREROUTING', 'OUTPUT'].map((from) => ({ from, match: '-m addrtype --dst-type LOCAL' })),
    },
  ]);
}

/** Lets processes of the node reach the pod by localhost: packets of loopback addresses may leave by the pod's link. */
function openLoopback(ips: string[]): void {
  const pod = ips.map(split).find(({ family }) => family === 4);
  if (pod === undefined) return;
  using rtnl = new Rtnl();
  const link = rtnl.routeTo(pod.address)?.link;
  if (link !== undefined) sysctl(`ipv4/conf/${link}/route_localnet`, '1');
}

async function forgetFlows({ ports }: Settings, ips: string[]): Promise<void> {
  await forgetUdpFlows({ id: '', addresses: ips.map((text) => split(text).address), ports });
}
