import { hash } from 'node:crypto';
import { messageOf } from '../../ground/fault.ts';
import type { RuleTables } from '../iptables.ts';
import { RuleBatch, type Table, TABLES, type TableText, textOf } from '../rule-batch.ts';

/** Rules that belong to one pod: a chain of its own, or single rules in chains that pods share. */
export interface PodRules {
  family: 4 | 6;
  table: Table;
  /** The pod's own chain: its rules, without `-A <chain>`. */
  chain?: { name: string; rules: string[] };
  /** Rules in other chains, without `-A <chain>`, in the form of iptables-save(8). */
  entries: { chain: string; rule: string }[];
}

/** A chain that all pods share. It is made when it is missing, and stays. */
export interface SharedChain {
  family: 4 | 6;
  table: Table;
  name: string;
  /** Its first rules, in the form of iptables-save(8). */
  rules: string[];
  /** What leads into it, in the same form and without `-j <name>`; `first`: before all other rules there. */
  jumps: { from: string; match: string; first?: boolean }[];
}

/** The longest name that the kernel takes, without its NUL. */
const NAME_MAX = 28;

/** The name that the reference plugins give a pod's chain: `CNI-` and a hash of network and container. */
export function chainName(network: string, containerId: string, prefix = ''): string {
  return `CNI-${prefix}${hash('sha512', `${network}${containerId}`)}`.slice(0, NAME_MAX);
}

/** The comment that marks every rule of a pod, as the reference plugins do. */
export function comment(network: string, containerId: string, what = ''): string {
  return `-m comment --comment "${what}name: \\"${network}\\" id: \\"${containerId}\\""`;
}

/**
 * Writes the rules of pods with iptables-restore: one transaction for each family. Pods that come or go while a
 * transaction runs share the next one; when that fails, each has one of its own, and hears of its own failure only.
 * Works in the network namespace that the process is in.
 */
export class PodChains {
  readonly #tables: RuleTables[];
  readonly #batches = new Map<RuleTables, RuleBatch>();
  readonly #pending = new Map<string, Pending>();
  /** Shared chains that were seen or made; who finds them missing forgets them. */
  readonly #seen = new Set<string>();

  constructor(tables: RuleTables[]) {
    this.#tables = tables;
    for (const one of tables) this.#batches.set(one, new RuleBatch(one));
  }

  /**
   * Has the rules written by `settle`: the pod's chains are made, or emptied and filled anew, its entries added, shared
   * chains made that are missing. `then` runs when they stand.
   */
  put(pod: string, rules: PodRules[], shared: SharedChain[] = [], then?: () => Promise<void>): void {
    const pending = this.#pending.get(pod) ?? { rules: [], shared: [], then: [] };
    pending.rules.push(...rules);
    pending.shared.push(...shared);
    if (then !== undefined) pending.then.push(then);
    this.#pending.set(pod, pending);
  }

  /** Writes what all plugins of a list have put for the pod, in one transaction for each family. */
  async settle(pod: string, signal?: AbortSignal): Promise<void> {
    const pending = this.#pending.get(pod);
    if (pending === undefined) return;
    this.#pending.delete(pod);
    await this.#each(pending.rules, async (tables, ours) => {
      const shared = pending.shared.filter(({ family }) => family === tables.family);
      await this.#write(tables, ours, shared, signal);
    });
    for (const step of pending.then) await step();
  }

  async #write(
    tables: RuleTables,
    ours: PodRules[],
    shared: SharedChain[],
    signal?: AbortSignal,
  ): Promise<void> {
    const batch = this.#batches.get(tables)!;
    // What is missing is found out and made in one go: two pods that make it at once would make it twice.
    const withShared = async (chains: SharedChain[]): Promise<void> =>
      await batch.alone(async () => {
        const missing = await this.#missingParts(tables, chains, signal);
        await tables.restore(textOf(putParts(ours, missing)), signal);
      });
    const unseen = shared.filter((chain) => !this.#seen.has(keyOf(chain)));
    try {
      if (unseen.length === 0) await batch.apply(putParts(ours, []), signal);
      else await withShared(unseen);
    } catch (error) {
      signal?.throwIfAborted();
      if (unseen.length === shared.length) throw error;
      // Somebody may have taken away what was there before.
      await withShared(shared);
    }
    for (const chain of shared) this.#seen.add(keyOf(chain));
  }

  /** Takes the pod's rules away, as far as they are there. The rules of its own chains need not be known. */
  async remove(pod: string, rules: PodRules[], signal?: AbortSignal): Promise<void> {
    this.#pending.delete(pod);
    await this.#each(rules, async (tables, ours) => {
      try {
        await this.#batches.get(tables)!.apply(removeParts(ours), signal);
      } catch (error) {
        signal?.throwIfAborted();
        await this.#removeFound(tables, ours, messageOf(error), signal);
      }
    });
  }

  /** Whether all of these rules are there. */
  async has(rules: PodRules[], signal?: AbortSignal): Promise<boolean> {
    let found = true;
    await this.#each(rules, async (tables, ours) => {
      for (const table of new Set(ours.map((one) => one.table))) {
        const saved = new Set((await tables.save(table, signal)).split('\n'));
        for (const { chain, entries } of ours.filter((one) => one.table === table)) {
          // iptables-save writes matches in an order of its own: what leads to the pod's chain is known by that.
          const present = (entry: PodRules['entries'][number]): boolean =>
            saved.has(`-A ${entry.chain} ${entry.rule}`) ||
            (chain !== undefined &&
              [...saved].some(
                (line) => line.startsWith(`-A ${entry.chain} `) && targetOf(line) === chain.name,
              ));
          if (!entries.every(present)) found = false;
        }
      }
    });
    return found;
  }

  /** Looks which of the shared chains, and of what leads into them, are not there. */
  async #missingParts(
    tables: RuleTables,
    shared: SharedChain[],
    signal?: AbortSignal,
  ): Promise<MissingPart[]> {
    const parts: MissingPart[] = [];
    for (const table of new Set(shared.map((one) => one.table))) {
      const saved = (await tables.save(table, signal)).split('\n');
      for (const { name, rules, jumps } of shared.filter((one) => one.table === table)) {
        const present = saved.some((line) => line.startsWith(`:${name} `));
        const jump = (match: string): string => `${match === '' ? '' : `${match} `}-j ${name}`;
        parts.push({
          table,
          chain: present ? undefined : `:${name} - [0:0]`,
          rules: [
            // The first rule of all is put in last.
            ...rules
              .toReversed()
              .filter((rule) => !saved.includes(`-A ${name} ${rule}`))
              .map((rule) => `-I ${name} ${rule}`),
            ...jumps
              .filter(({ from, match }) => !saved.includes(`-A ${from} ${jump(match)}`))
              .map(({ from, match, first }) => `${first === true ? '-I' : '-A'} ${from} ${jump(match)}`),
          ],
        });
      }
    }
    return parts;
  }

  /** What is there is not what was expected: looks, and takes away just that. */
  async #removeFound(tables: RuleTables, ours: PodRules[], why: string, signal?: AbortSignal): Promise<void> {
    for (const table of new Set(ours.map((one) => one.table))) {
      const saved = (await tables.save(table, signal)).split('\n');
      const pods = ours.filter((one) => one.table === table);
      const names = new Set(pods.flatMap(({ chain }) => chain?.name ?? []));
      const entries = new Set(
        pods.flatMap((pod) => pod.entries.map(({ chain, rule }) => `-A ${chain} ${rule}`)),
      );
      const present = [...names].filter((name) => saved.some((line) => line.startsWith(`:${name} `)));
      const lines = saved.filter(
        (line) => line.startsWith('-A ') && (names.has(targetOf(line)) || entries.has(line)),
      );
      if (present.length === 0 && lines.length === 0) continue;
      const text = [
        `*${table}`,
        ...present.map((name) => `:${name} - [0:0]`),
        ...lines.map((line) => line.replace('-A ', '-D ')),
        ...present.map((name) => `-X ${name}`),
        'COMMIT\n',
      ];
      try {
        await tables.restore(text.join('\n'), signal);
      } catch (error) {
        throw new Error(`${messageOf(error)}; before that: ${why}`, { cause: error });
      }
    }
  }

  async #each(
    rules: PodRules[],
    work: (tables: RuleTables, ours: PodRules[]) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      this.#tables.map(async (tables) => {
        const ours = rules.filter(({ family }) => family === tables.family);
        if (ours.length > 0) await work(tables, ours);
      }),
    );
  }
}

interface Pending {
  rules: PodRules[];
  shared: SharedChain[];
  then: (() => Promise<void>)[];
}

interface MissingPart {
  table: Table;
  /** The line that declares the chain. */
  chain: string | undefined;
  rules: string[];
}

function keyOf({ family, table, name }: SharedChain): string {
  return `${family} ${table} ${name}`;
}

function putParts(ours: PodRules[], missing: MissingPart[]): TableText[] {
  return TABLES.map((table) => {
    const pods = ours.filter((one) => one.table === table);
    const parts = missing.filter((one) => one.table === table);
    return {
      table,
      chains: [
        ...parts.flatMap(({ chain }) => chain ?? []),
        ...pods.flatMap(({ chain }) => (chain === undefined ? [] : `:${chain.name} - [0:0]`)),
      ],
      rules: [
        ...parts.flatMap(({ rules }) => rules),
        ...pods.flatMap(({ chain, entries }) => [
          ...(chain?.rules ?? []).map((rule) => `-A ${chain!.name} ${rule}`),
          ...entries.map((entry) => `-A ${entry.chain} ${entry.rule}`),
        ]),
      ],
    };
  });
}

function removeParts(ours: PodRules[]): TableText[] {
  return TABLES.map((table) => {
    const pods = ours.filter((one) => one.table === table);
    const names = pods.flatMap(({ chain }) => chain?.name ?? []);
    return {
      table,
      chains: names.map((name) => `:${name} - [0:0]`),
      rules: [
        ...pods.flatMap(({ entries }) => entries.map(({ chain, rule }) => `-D ${chain} ${rule}`)),
        ...names.map((name) => `-X ${name}`),
      ],
    };
  });
}

function targetOf(line: string): string {
  return /-j (\S+)/.exec(line)?.[1] ?? '';
}
