import type { HostPort } from './pod-network.ts';

/**
 * The iptables rules of the built-in bridge network, as text for iptables-restore(8) --noflush. Berth writes only
 * into chains of its own, and writes those whole each time: declaring a chain in the text empties it in the same
 * transaction, so that what is there afterwards is what the records say, whatever was there before.
 */

export interface PodPorts {
  id: string;
  /** `namespace/name` of the pod, for people. */
  name?: string;
  addresses: string[];
  ports: HostPort[];
}

export interface RuleSet {
  family: 4 | 6;
  bridge: string;
  /** The link that leads to the pods of other nodes; empty: there is none. */
  overlay: string;
  /** Ranges of this family: today's, and those that living pods still have addresses from. */
  ranges: string[];
  /** Pods with host ports, with their address of this family. */
  hostPorts: { id: string; address: string; ports: HostPort[] }[];
}

/** A rule in a chain of the kernel that leads to a chain of ours. */
export interface Jump {
  table: 'nat' | 'filter';
  from: string;
  match: string;
  to: string;
  /** Before all other rules of the chain (a rule that accepts or drops must not be shadowed), or after them. */
  place: 'first' | 'last';
}

const JUMPS: readonly Jump[] = [
  jump('nat', 'PREROUTING', 'BERTH-HOSTPORTS', 'last', '-m addrtype --dst-type LOCAL'),
  jump('nat', 'OUTPUT', 'BERTH-HOSTPORTS', 'last', '-m addrtype --dst-type LOCAL'),
  jump('nat', 'POSTROUTING', 'BERTH-HAIRPIN', 'last'),
  jump('nat', 'POSTROUTING', 'BERTH-MASQ', 'last'),
  jump('filter', 'INPUT', 'BERTH-INPUT', 'first'),
];
/** Needed only where the node forwards nothing by default. */
const FORWARD_JUMP = jump('filter', 'FORWARD', 'BERTH-FORWARD', 'first');

/** The chains of ours, in whichever table. */
export const OUR_CHAINS: readonly string[] = [...new Set([...JUMPS, FORWARD_JUMP].map(({ to }) => to))];

function jump(table: Jump['table'], from: string, to: string, place: Jump['place'], match = ''): Jump {
  return { table, from, to, place, match };
}

/** The rules of our own chains, by table and chain. */
export function chainRules(set: RuleSet): Record<Jump['table'], Record<string, string[]>> {
  const { family, bridge, overlay, ranges, hostPorts } = set;
  const loopback = family === 4 ? '127.0.0.0/8' : undefined;
  return {
    nat: {
      'BERTH-HOSTPORTS': hostPorts.flatMap((pod) => pod.ports.map((port) => dnatRule(family, pod, port))),
      // A pod that reaches itself or a neighbour through a host port must get its answer from the node, not directly.
      'BERTH-HAIRPIN': hostPorts.flatMap((pod) =>
        pod.ports.flatMap((port) => ranges.map((range) => hairpinRule(family, range, pod, port))),
      ),
      'BERTH-MASQ': [
        // Pods of other nodes see whom they talk to.
        ...ranges.map(
          (range) => `-s ${range} ! -d ${range} ${overlay === '' ? '' : `! -o ${overlay} `}-j MASQUERADE`,
        ),
        // A process of the node that dials localhost:hostPort.
        ...(loopback === undefined ? [] : [`-s ${loopback} -o ${bridge} -j MASQUERADE`]),
      ],
    },
    filter: {
      // route_localnet, which localhost:hostPort needs, would open the node's loopback services to pods.
      'BERTH-INPUT':
        loopback === undefined
          ? []
          : [`-d ${loopback} -i ${bridge} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`],
      'BERTH-FORWARD': ranges.flatMap((range) => [
        `-s ${range} -j ACCEPT`,
        `-d ${range} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT`,
        ...(overlay === '' ? [] : [`-d ${range} -i ${overlay} -j ACCEPT`]),
      ]),
    },
  };
}

function dnatRule(family: 4 | 6, pod: RuleSet['hostPorts'][number], port: HostPort): string {
  const { protocol, hostPort, containerPort } = port;
  const destination = isAnyAddress(port.hostIp) ? '' : `-d ${port.hostIp}/${family === 4 ? 32 : 128} `;
  const target = family === 4 ? pod.address : `[${pod.address}]`;
  return `${destination}-p ${protocol} -m ${protocol} --dport ${hostPort} ${tag(pod.id)} -j DNAT --to-destination ${target}:${containerPort}`;
}

function hairpinRule(
  family: 4 | 6,
  range: string,
  pod: RuleSet['hostPorts'][number],
  port: HostPort,
): string {
  const { protocol, hostPort, containerPort } = port;
  const address = `${pod.address}/${family === 4 ? 32 : 128}`;
  // The original port tells a connection through the host port from one through a service that leads to the same pod.
  return `-s ${range} -d ${address} -p ${protocol} -m ${protocol} --dport ${containerPort} -m conntrack --ctstate DNAT --ctorigdstport ${hostPort} ${tag(pod.id)} -j MASQUERADE`;
}

function tag(id: string): string {
  return `-m comment --comment "berth:${id}"`;
}

/** Whether a hostIp means every address of the node. */
export function isAnyAddress(hostIp: string): boolean {
  return hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
}

/** The whole text: our chains with their rules, and these jumps. */
export function restoreText(
  set: RuleSet,
  jumps: Jump[],
  tables: Jump['table'][] = ['nat', 'filter'],
): string {
  const chains = chainRules(set);
  return tables
    .flatMap((table) => [
      `*${table}`,
      ...Object.keys(chains[table]).map((chain) => `:${chain} - [0:0]`),
      ...jumps
        .filter((each) => each.table === table)
        .map(({ place, from, match, to }) =>
          [place === 'first' ? '-I' : '-A', from, match, '-j', to].filter((part) => part !== '').join(' '),
        ),
      ...Object.entries(chains[table]).flatMap(([chain, rules]) =>
        rules.map((rule) => `-A ${chain} ${rule}`),
      ),
      'COMMIT',
      '',
    ])
    .join('\n');
}

/** The jumps that the saved text of the tables lacks. */
export function missingJumps(saved: Record<Jump['table'], string>): Jump[] {
  const dropsForwards = /^:FORWARD DROP /m.test(saved.filter);
  return [...JUMPS, ...(dropsForwards ? [FORWARD_JUMP] : [])].filter(
    ({ table, from, to }) => !new RegExp(`^-A ${from} .*?-j ${to}$`, 'm').test(saved[table]),
  );
}

/**
 * Whether each chain of ours has, in the saved text, as many rules as it should have, for the same ranges and the same
 * overlay.
 */
export function chainsComplete(set: RuleSet, saved: Record<Jump['table'], string>): boolean {
  const chains = chainRules(set);
  const masqueraded = [
    ...saved.nat.matchAll(/^-A BERTH-MASQ -s (\S+) ! -d \S+ (?:! -o (\S+) )?-j MASQUERADE/gm),
  ];
  const found = masqueraded.map(([, range, link = '']) => `${range} ${link}`);
  if (set.ranges.some((range) => !found.includes(`${range} ${set.overlay}`))) return false;
  return (['nat', 'filter'] as const).every((table) =>
    Object.entries(chains[table]).every(([chain, rules]) => {
      const present = saved[table].match(new RegExp(`^-A ${chain} `, 'gm'))?.length ?? 0;
      return present === rules.length && saved[table].includes(`\n:${chain} `);
    }),
  );
}
