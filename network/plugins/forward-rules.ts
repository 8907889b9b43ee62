import type { PodRules, SharedChain } from './pod-chains.ts';
import { split } from './pod-interface.ts';

export const FORWARD = 'CNI-FORWARD';

/** Forwarding as the reference plugin firewall lets it pass. */
export function forwardRules(ips: string[]): PodRules[] {
  return ([4, 6] as const).flatMap((family): PodRules[] => {
    const ours = ips.map(split).filter((one) => one.family === family);
    const bits = family === 4 ? 32 : 128;
    const entries = ours.flatMap(({ address }) => [
      { chain: FORWARD, rule: `-d ${address}/${bits} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT` },
      { chain: FORWARD, rule: `-s ${address}/${bits} -j ACCEPT` },
    ]);
    return entries.length === 0 ? [] : [{ family, table: 'filter', entries }];
  });
}

/** What all pods share of it. */
export function forwardChains(admin: string): SharedChain[] {
  return ([4, 6] as const).flatMap((family): SharedChain[] => [
    {
      family,
      table: 'filter',
      name: FORWARD,
      rules: [],
      jumps: [{ from: 'FORWARD', match: '-m comment --comment "CNI firewall plugin rules"', first: true }],
    },
    {
      family,
      table: 'filter',
      name: admin,
      rules: [],
      jumps: [
        { from: FORWARD, match: '-m comment --comment "CNI firewall plugin admin overrides"', first: true },
      ],
    },
  ]);
}
