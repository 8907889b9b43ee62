import { hash } from 'node:crypto';
import { messageOf } from '../../ground/fault.ts';
import type { RuleTables } from '../iptables.ts';

/** A chain that belongs to one pod, with what leads into it. */
export interface PodChain {
  family: 4 | 6;
  table: 'nat' | 'filter';
  name: string;
  /** Without `-A <chain>`. */
  rules: string[];
  /** Rules of other chains, without `-A <chain>` and without the jump itself. */
  jumps: { from: string; match: string }[];
}

/** The longest name that the kernel takes, without its NUL. */
const NAME_MAX = 28;

/** The name that the reference plugins give a pod's chain: `CNI-` and a hash of network and container. */
export function chainName(network: string, containerId: string, prefix = ''): string {
  const digest = hash('sha512', `${network}${containerId}`);
  return `CNI-${prefix}${digest}`.slice(0, NAME_MAX);
}

/** The match that marks every rule of a pod, as the reference plugins do. */
export function comment(network: string, containerId: string): string {
  return `-m comment --comment "name: \\"${network}\\" id: \\"${containerId}\\""`;
}

/**
 * Writes chains of single pods with iptables-restore: one transaction for each family and call. Works in the network
 * namespace that the process is in.
 */
export class PodChains {
  readonly #tables: RuleTables[];

  constructor(tables: RuleTables[]) {
    this.#tables = tables;
  }

  /** Makes the chains, or empties and fills them anew; leads into each of them by its jumps. */
  async put(chains: PodChain[], signal?: AbortSignal): Promise<void> {
    await this.#each(chains, async (tables, ours) => {
      await tables.restore(
        text(ours, ({ name, rules, jumps }) => [
          ...rules.map((rule) => `-A ${name} ${rule}`),
          ...jumps.map(({ from, match }) => `-A ${from} ${match} -j ${name}`),
        ]),
        signal,
      );
    });
  }

  /** Takes the chains away with all that leads into them, as far as they are there. Rules need not be known. */
  async remove(chains: PodChain[], signal?: AbortSignal): Promise<void> {
    await this.#each(chains, async (tables, ours) => {
      try {
        await tables.restore(
          text(ours, ({ name, jumps }) => [
            ...jumps.map(({ from, match }) => `-D ${from} ${match} -j ${name}`),
            `-X ${name}`,
          ]),
          signal,
        );
      } catch (error) {
        signal?.throwIfAborted();
        await this.#removeFound(tables, ours, messageOf(error), signal);
      }
    });
  }

  /** What is there is not what the chains say: looks, and takes away just that. */
  async #removeFound(
    tables: RuleTables,
    chains: PodChain[],
    why: string,
    signal?: AbortSignal,
  ): Promise<void> {
    for (const table of new Set(chains.map((chain) => chain.table))) {
      const saved = (await tables.save(table, signal)).split('\n');
      const names = new Set(chains.filter((chain) => chain.table === table).map(({ name }) => name));
      const present = [...names].filter((name) => saved.some((line) => line.startsWith(`:${name} `)));
      const jumps = saved.filter((line) => line.startsWith('-A ') && names.has(targetOf(line)));
      if (present.length === 0 && jumps.length === 0) continue;
      const lines = [
        `*${table}`,
        ...present.map((name) => `:${name} - [0:0]`),
        ...jumps.map((line) => line.replace('-A ', '-D ')),
        ...present.map((name) => `-X ${name}`),
        'COMMIT\n',
      ];
      try {
        await tables.restore(lines.join('\n'), signal);
      } catch (error) {
        throw new Error(`${messageOf(error)}; before that: ${why}`, { cause: error });
      }
    }
  }

  async #each(
    chains: PodChain[],
    work: (tables: RuleTables, ours: PodChain[]) => Promise<void>,
  ): Promise<void> {
    for (const tables of this.#tables) {
      const ours = chains.filter(({ family }) => family === tables.family);
      if (ours.length > 0) await work(tables, ours);
    }
  }
}

function text(chains: PodChain[], lines: (chain: PodChain) => string[]): string {
  return (['nat', 'filter'] as const)
    .flatMap((table) => {
      const ours = chains.filter((chain) => chain.table === table);
      if (ours.length === 0) return [];
      return [
        `*${table}`,
        ...ours.map(({ name }) => `:${name} - [0:0]`),
        ...ours.flatMap(lines),
        'COMMIT',
        '',
      ];
    })
    .join('\n');
}

function targetOf(line: string): string {
  return /-j (\S+)/.exec(line)?.[1] ?? '';
}
