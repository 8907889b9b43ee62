/** Two samples that are nearer than this tell little of a rate. */
const WINDOW_NS = 1_000_000_000n;

interface Sample {
  atNs: bigint;
  usageNs: bigint;
}

/**
 * CPU nanoseconds a second (CRI `usage_nano_cores`), from the samples that callers happen to take: the mean since one
 * that is at least a second old, for the first call since the beginning.
 */
export class CpuRate {
  #old: Sample;
  #new: Sample;

  /** `beginNs`: when nothing was used yet. */
  constructor(beginNs: bigint) {
    this.#old = this.#new = { atNs: beginNs, usageNs: 0n };
  }

  /** Takes a sample and answers with the rate; zero when no time has passed. */
  next(atNs: bigint, usageNs: bigint): bigint {
    if (atNs - this.#new.atNs >= WINDOW_NS) {
      this.#old = this.#new;
      this.#new = { atNs, usageNs };
    }
    const time = atNs - this.#old.atNs;
    const used = usageNs - this.#old.usageNs;
    return time <= 0n || used <= 0n ? 0n : (used * 1_000_000_000n) / time;
  }
}
