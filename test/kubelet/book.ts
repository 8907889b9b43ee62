import type { Rpc } from '../../cri/rpc.ts';

/** How often one complaint is kept with its details; what comes after it is only counted. */
const KEPT_OF_A_KIND = 5;
/** Samples kept of one RPC: a day of ten minutes has less. */
const MAX_SAMPLES = 200_000;

/** One sentence about what a kubelet would not expect, and how often it was seen. */
export interface Complaint {
  kind: string;
  times: number;
  /** The first few, with the objects that they are about. */
  examples: string[];
}

/** What a day saw: complaints, the time of each call, and how often things were done. */
export class Book {
  readonly #complaints = new Map<string, Complaint>();
  readonly #times = new Map<Rpc, number[]>();
  readonly #deeds = new Map<string, number>();
  /** Calls in a row of time are looked at apart from those before. */
  #timing = true;

  /** Something that a kubelet would not expect. Equal `kind`s are put together. */
  complain(kind: string, example: string): void {
    const known = this.#complaints.get(kind) ?? { kind, times: 0, examples: [] };
    known.times++;
    if (known.examples.length < KEPT_OF_A_KIND) known.examples.push(example);
    this.#complaints.set(kind, known);
  }

  /** One call that was answered, in milliseconds. */
  took(rpc: Rpc, ms: number): void {
    if (!this.#timing) return;
    const times = this.#times.get(rpc) ?? [];
    this.#times.set(rpc, times);
    if (times.length < MAX_SAMPLES) times.push(ms);
  }

  /** One more of `deed`: `pods started`. */
  did(deed: string, many = 1): void {
    this.#deeds.set(deed, (this.#deeds.get(deed) ?? 0) + many);
  }

  /** Times count no more: the daemon is about to be stopped, killed or overrun on purpose. */
  stopTiming(): void {
    this.#timing = false;
  }

  get complaints(): Complaint[] {
    return [...this.#complaints.values()];
  }

  get times(): ReadonlyMap<Rpc, readonly number[]> {
    return this.#times;
  }

  get deeds(): ReadonlyMap<string, number> {
    return this.#deeds;
  }
}

/** The nearest-rank quantile of `values`, for a share between 0 and 1. Throws when there is none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('No sample was taken');
  return value;
}
