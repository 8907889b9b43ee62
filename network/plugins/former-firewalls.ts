import { ipBytes } from '../../native/netlink-attributes.ts';
import type { NfTables } from '../../native/nftables.ts';
import { tableOf } from '../nftables/host-port-elements.ts';
import { chainsLike, removalOf } from '../nftables/leftovers.ts';
import { FORWARD } from './forward-rules.ts';
import { chainName } from './pod-chains.ts';
import type { PodFirewall, PodSubject, PodWish } from './pod-firewall.ts';
import { split } from './pod-interface.ts';

const FAMILIES = [4, 6] as const;

/** A way of writing the packet filter that served before: pods that came then still have their rules by it. */
export interface FormerFirewall extends Pick<PodFirewall, 'remove'> {
  /** Takes away what pods share when none is left. */
  tidy?(): Promise<void>;
}

/** One that serves, with those before it: pods leave all of them. */
export class SwitchedPodFirewall implements PodFirewall {
  readonly #current: PodFirewall;
  readonly #former: FormerFirewall[];

  constructor(current: PodFirewall, former: FormerFirewall[]) {
    this.#current = current;
    this.#former = former;
  }

  get kind(): PodFirewall['kind'] {
    return this.#current.kind;
  }

  put(pod: PodSubject, wish: PodWish, then?: () => Promise<void>): void {
    this.#current.put(pod, wish, then);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#current.settle(containerId, signal);
  }

  async remove(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<void> {
    await this.#current.remove(pod, wish, signal);
    for (const former of this.#former) {
      await former.remove(pod, wish, signal);
      await former.tidy?.();
    }
  }

  async has(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<boolean> {
    return await this.#current.has(pod, wish, signal);
  }
}

/** Whether a plugin has ever written rules here by the nft variant of iptables. */
export function hasPodChains(nft: NfTables, family: 4 | 6): boolean {
  return ['nat', 'filter'].some(
    (table) => chainsLike(nft, tableOf(family, table), (name) => name.startsWith('CNI-')).length > 0,
  );
}

/** Pods' rules by the nft variant of iptables, taken away without its programs. */
export class IptablesNftPodRemains implements FormerFirewall {
  readonly #nft: NfTables;

  constructor(nft: NfTables) {
    this.#nft = nft;
  }

  async remove({ network, containerId }: PodSubject, wish: PodWish): Promise<void> {
    await this.#nft.commit(
      FAMILIES.flatMap((family) => {
        if (wish.kind === 'forward') {
          const addresses = wish.ips
            .map(split)
            .filter((ip) => ip.family === family)
            .map(({ address }) => ipBytes(address).bytes);
          const ref = tableOf(family, 'filter');
          if (addresses.length === 0 || chainsLike(this.#nft, ref, (name) => name === FORWARD).length === 0)
            return [];
          return removalOf(
            this.#nft,
            ref,
            [],
            ({ chain, values }) =>
              chain === FORWARD && addresses.some((bytes) => values.some((value) => value.equals(bytes))),
          );
        }
        const ref = tableOf(family, 'nat');
        const own = chainName(network, containerId, wish.kind === 'host-ports' ? 'DN-' : '');
        const chains = chainsLike(this.#nft, ref, (name) => name === own);
        return chains.length === 0 ? [] : removalOf(this.#nft, ref, chains);
      }),
    );
  }
}
