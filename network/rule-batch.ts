import type { RuleTables } from './iptables.ts';

export const TABLES = ['nat', 'filter'] as const;
export type Table = (typeof TABLES)[number];

/** What is to be done in one table, in the format of iptables-save(8). */
export interface TableText {
  table: Table;
  /** Lines that declare chains: `:NAME - [0:0]` makes or empties one. */
  chains: string[];
  rules: string[];
}

/** The whole text for iptables-restore(8). Tables with nothing to do are left out. */
export function textOf(parts: readonly TableText[]): string {
  return TABLES.flatMap((table) => {
    const ours = parts.filter((part) => part.table === table);
    const chains = ours.flatMap((part) => part.chains);
    const rules = ours.flatMap((part) => part.rules);
    return chains.length + rules.length === 0 ? [] : [`*${table}`, ...chains, ...rules, 'COMMIT', ''];
  }).join('\n');
}

interface Waiting {
  parts: TableText[];
  signal: AbortSignal | undefined;
  settle: PromiseWithResolvers<void>;
}

/**
 * One writer at a time for the rules of a family. Changes that arrive while one is written are written together after
 * it. A transaction that fails as a whole says not whose fault it is: its changes are written one by one then.
 */
export class RuleBatch {
  readonly #tables: RuleTables;
  #waiting: Waiting[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(tables: RuleTables) {
    this.#tables = tables;
  }

  /** Rejects with the failure of this very change. A change whose signal fires before its turn is not written. */
  async apply(parts: TableText[], signal?: AbortSignal): Promise<void> {
    const settle = Promise.withResolvers<void>();
    this.#waiting.push({ parts, signal, settle });
    if (this.#waiting.length === 1)
      void this.alone(async () => {
        const batch = this.#waiting;
        this.#waiting = [];
        await this.#write(batch);
      });
    await settle.promise;
  }

  /** Runs `work` while nobody else writes. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async #write(batch: Waiting[]): Promise<void> {
    const asked = batch.filter(({ signal, settle }) => {
      if (signal?.aborted === true) settle.reject(signal.reason);
      return signal?.aborted !== true;
    });
    if (asked.length === 0) return;
    try {
      // Of several, no single one's signal may end the others.
      const signal = asked.length === 1 ? asked[0]!.signal : undefined;
      await this.#tables.restore(textOf(asked.flatMap(({ parts }) => parts)), signal);
      for (const { settle } of asked) settle.resolve();
    } catch (error) {
      if (asked.length === 1) return asked[0]!.settle.reject(error);
      for (const { parts, signal, settle } of asked)
        await this.#tables.restore(textOf(parts), signal).then(settle.resolve, settle.reject);
    }
  }
}
