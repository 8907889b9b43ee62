import type { HostPort } from '../pod-network.ts';
import { addressFamily } from '../pod-range.ts';
import { chainName, comment, type PodRules, type SharedChain } from './pod-chains.ts';
import type { HostPortSettings, PodSubject } from './pod-firewall.ts';
import { networkOf, split } from './pod-interface.ts';

/** Host ports as the reference plugin portmap writes them. */

const DNAT = 'CNI-HOSTPORT-DNAT';
export const SET_MARK = 'CNI-HOSTPORT-SETMARK';
const MASQ = 'CNI-HOSTPORT-MASQ';
/** What the match multiport takes in one rule (iptables-extensions(8)). */
const MULTIPORT_MAX = 15;

/** The rules of a pod with these addresses. */
export function hostPortRules(
  { network, containerId }: PodSubject,
  settings: HostPortSettings,
  ips: string[],
): PodRules[] {
  const name = chainName(network, containerId, 'DN-');
  const tag = comment(network, containerId, 'dnat ');
  return ips.flatMap((text): PodRules[] => {
    const { address, family } = split(text);
    const served = servedPorts(settings, family);
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
export function hostPortRemains({ network, containerId }: PodSubject): PodRules[] {
  const name = chainName(network, containerId, 'DN-');
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

/** What all pods with host ports share. */
export function hostPortChains({ snat, markChain, markBit }: HostPortSettings): SharedChain[] {
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

/** The ports that lead to the pod's address of a family. One with a host address concerns that one's family only. */
export function servedPorts({ ports }: HostPortSettings, family: 4 | 6): HostPort[] {
  return ports.filter(({ hostIp }) => hostIp === '' || addressFamily(hostIp) === family);
}
