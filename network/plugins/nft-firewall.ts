import { Limit } from '../../ground/limit.ts';
import { isErrno } from '../../native/errno.ts';
import type { NfTables } from '../../native/nftables.ts';
import type { NfMessage } from '../../native/nftables-messages.ts';
import { NftPodTable } from '../nftables/pod-table.ts';
import type { PodFirewall, PodSubject, PodWish } from './pod-firewall.ts';
import { split } from './pod-interface.ts';
import { servedPorts } from './portmap-rules.ts';

/** The wishes of plugins as elements of the maps of a table of Berth's own, through netlink: no program is needed. */
export class NftPodFirewall implements PodFirewall {
  readonly kind = 'nftables';
  readonly #tables: NftPodTable[];
  readonly #nft: NfTables;
  /** What is to be written hangs on what was written before. */
  readonly #turns = new Limit(1);
  readonly #pending = new Map<string, Pending>();

  constructor(nft: NfTables) {
    this.#nft = nft;
    this.#tables = ([4, 6] as const).map((family) => new NftPodTable(nft, family));
  }

  put(pod: PodSubject, wish: PodWish, then?: () => Promise<void>): void {
    const pending = this.#pending.get(pod.containerId) ?? { pod, wishes: [], then: [] };
    pending.wishes.push(wish);
    if (then !== undefined) pending.then.push(then);
    this.#pending.set(pod.containerId, pending);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    const pending = this.#pending.get(containerId);
    if (pending === undefined) return;
    this.#pending.delete(containerId);
    signal?.throwIfAborted();
    const { pod, wishes } = pending;
    // Both families in one transaction.
    const messages = (whole: boolean): NfMessage[] =>
      this.#tables.flatMap((table) => {
        const ours = wishes.map((wish) => ofFamily(wish, table.family)).filter(({ ips }) => ips.length > 0);
        return ours.length === 0 ? [] : table.additions(tagOf(pod), ours, whole);
      });
    await this.#turns.run(async () => {
      try {
        await this.#nft.commit(messages(false));
      } catch (error) {
        // Somebody flushed the rules, or another pod that is about to leave still has the port.
        if (!isErrno(error, 'ENOENT', 'EEXIST', 'EBUSY')) throw error;
        await this.#nft.commit(messages(true));
      }
    }, signal);
    for (const step of pending.then) await step();
  }

  async remove(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<void> {
    this.#pending.delete(pod.containerId);
    signal?.throwIfAborted();
    const messages = (whole: boolean): NfMessage[] =>
      this.#tables.flatMap((table) => {
        const ours = ofFamily(wish, table.family);
        const known = wish.ips.length > 0 && !whole;
        if (known && ours.ips.length === 0) return [];
        return table.removals(tagOf(pod), known ? ours : { ...ours, ips: [] });
      });
    await this.#turns.run(async () => {
      try {
        await this.#nft.commit(messages(false));
      } catch (error) {
        // Somebody was faster with one of them.
        if (!isErrno(error, 'ENOENT')) throw error;
        await this.#nft.commit(messages(true));
      }
    }, signal);
  }

  /** Takes away what all pods share when none is left: another way serves from now on. */
  async tidy(): Promise<void> {
    await this.#turns.run(
      async () => await this.#nft.commit(this.#tables.flatMap((table) => table.clearing())),
    );
  }

  async has(pod: PodSubject, wish: PodWish): Promise<boolean> {
    const complete = this.#tables.every((table) => {
      const ours = ofFamily(wish, table.family);
      return ours.ips.length === 0 || table.has(tagOf(pod), ours);
    });
    return await Promise.resolve(complete);
  }
}

interface Pending {
  pod: PodSubject;
  wishes: PodWish[];
  then: (() => Promise<void>)[];
}

/** What every element of a pod bears. Comments are bounded: the network's name gives way. */
function tagOf({ network, containerId }: PodSubject): string {
  return `id: ${containerId} name: ${network}`.slice(0, 120);
}

function ofFamily(wish: PodWish, family: 4 | 6): PodWish {
  const ips = wish.ips.filter((ip) => split(ip).family === family);
  if (wish.kind !== 'host-ports') return { ...wish, ips };
  return { ...wish, ips, settings: { ...wish.settings, ports: servedPorts(wish.settings, family) } };
}
