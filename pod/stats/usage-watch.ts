import type { CgroupStats } from '../cgroup/stats.ts';
import type { ResourceUsage } from '../pods.ts';
import { CpuRate } from './cpu-rate.ts';

/** A kubelet that wants to know all asks for several lists in a row: this long they are told the same numbers. */
const FRESH_MS = 500;
const FRESH_NS = BigInt(FRESH_MS) * 1_000_000n;

/** Those that hold a reading. It is let go when nobody has read for as long: a crowded node's are a megabyte. */
const holders = new Set<UsageWatch>();
let letGo: NodeJS.Timeout | undefined;

/** Whether numbers have to be read for this very caller, or may be those that another was just told. */
export type When = 'now' | 'lately';

/** What was used, and when that was read. */
export interface Reading {
  atNs: bigint;
  usage: ResourceUsage;
}

/** What a container or a pod uses, as read whenever somebody asks. */
export class UsageWatch {
  readonly #rate: CpuRate;
  #last: Reading | undefined;

  /** `beginNs`: when nothing was used yet. */
  constructor(beginNs: bigint) {
    this.#rate = new CpuRate(beginNs);
  }

  /** Reads it now; undefined when there is nothing to read any more. */
  now(atNs: bigint, read: () => CgroupStats | undefined): Reading | undefined {
    const found = read();
    this.#last =
      found === undefined
        ? undefined
        : { atNs, usage: { ...found, cpuNanoCores: this.#rate.next(atNs, found.cpuUsageNs) } };
    if (this.#last !== undefined) hold(this);
    return this.#last;
  }

  /** Lets the last reading go. */
  forget(): void {
    this.#last = undefined;
  }

  /** The last reading while it is not older than half a second, otherwise a new one. */
  lately(atNs: bigint, read: () => CgroupStats | undefined): Reading | undefined {
    const ageNs = atNs - (this.#last?.atNs ?? 0n);
    return ageNs >= 0n && ageNs < FRESH_NS ? this.#last : this.now(atNs, read);
  }
}

function hold(watch: UsageWatch): void {
  holders.add(watch);
  if (letGo !== undefined) {
    letGo.refresh();
    return;
  }
  letGo = setTimeout(() => {
    letGo = undefined;
    for (const holder of holders) holder.forget();
    holders.clear();
  }, FRESH_MS).unref();
}
