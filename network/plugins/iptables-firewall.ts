import { forwardChains, forwardRules } from './forward-rules.ts';
import { masqueradeChains, masqueradeRemains } from './masquerade.ts';
import type { PodChains, PodRules, SharedChain } from './pod-chains.ts';
import type { PodFirewall, PodSubject, PodWish } from './pod-firewall.ts';
import { hostPortChains, hostPortRemains, hostPortRules } from './portmap-rules.ts';

/** The wishes of plugins as the rules that the reference plugins write. */
export class IptablesPodFirewall implements PodFirewall {
  readonly kind = 'iptables';
  readonly #chains: PodChains;

  constructor(chains: PodChains) {
    this.#chains = chains;
  }

  put(pod: PodSubject, wish: PodWish, then?: () => Promise<void>): void {
    this.#chains.put(pod.containerId, rulesOf(pod, wish), sharedChains(wish), then);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#chains.settle(containerId, signal);
  }

  async remove(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<void> {
    const rules = rulesOf(pod, wish);
    await this.#chains.remove(pod.containerId, rules.length > 0 ? rules : remainsOf(pod, wish), signal);
  }

  async has(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<boolean> {
    return await this.#chains.has(rulesOf(pod, wish), signal);
  }
}

function rulesOf(pod: PodSubject, wish: PodWish): PodRules[] {
  switch (wish.kind) {
    case 'masquerade':
      return masqueradeChains(pod, wish.ips);
    case 'forward':
      return forwardRules(wish.ips);
    case 'host-ports':
      return hostPortRules(pod, wish.settings, wish.ips);
    default:
      return wish satisfies never;
  }
}

/** By name alone, for when the addresses are not known any more. */
function remainsOf(pod: PodSubject, { kind }: PodWish): PodRules[] {
  if (kind === 'forward') return [];
  return kind === 'masquerade' ? masqueradeRemains(pod) : hostPortRemains(pod);
}

function sharedChains(wish: PodWish): SharedChain[] {
  if (wish.kind === 'masquerade') return [];
  return wish.kind === 'forward' ? forwardChains(wish.adminChain) : hostPortChains(wish.settings);
}
