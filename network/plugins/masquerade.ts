import { chainName, comment, type PodRules } from './pod-chains.ts';
import type { PodSubject } from './pod-firewall.ts';

/**
 * What masquerades a pod's connections to the world, as the reference plugins bridge and ptp write it: a chain of the
 * pod's own, which packets from its address enter, and in which those to its own network or to a multicast address
 * stay as they are.
 */
export function masqueradeChains({ network, containerId }: PodSubject, ips: readonly string[]): PodRules[] {
  const name = chainName(network, containerId);
  const tag = comment(network, containerId);
  return ([4, 6] as const).flatMap((family): PodRules[] => {
    const ours = ips.filter((address) => address.includes(':') === (family === 6));
    if (ours.length === 0) return [];
    const multicast = family === 4 ? '224.0.0.0/4' : 'ff00::/8';
    return [
      {
        family,
        table: 'nat',
        chain: {
          name,
          rules: ours.flatMap((address) => [
            `-d ${address} ${tag} -j ACCEPT`,
            `! -d ${multicast} ${tag} -j MASQUERADE`,
          ]),
        },
        entries: ours.map((address) => ({
          chain: 'POSTROUTING',
          rule: `-s ${address.split('/')[0]}/${family === 4 ? 32 : 128} ${tag} -j ${name}`,
        })),
      },
    ];
  });
}

/** The same by name alone, for when the addresses are not known any more. */
export function masqueradeRemains({ network, containerId }: PodSubject): PodRules[] {
  const name = chainName(network, containerId);
  return ([4, 6] as const).map((family) => ({
    family,
    table: 'nat',
    chain: { name, rules: [] },
    entries: [],
  }));
}
