/** Back-off of restarts as a kubelet has it: each container's pause doubles up to a bound, and is over with time. */
export class BackOff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #pauses = new Map<string, { pauseMs: number; lastStart: number }>();

  constructor(initialMs: number, maxMs: number) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** Milliseconds until `key`, whose last run ended at `finishedAt` (ns since the epoch), may start again. */
  leftMs(key: string, finishedAt: bigint, now: number): number {
    const entry = this.#pauses.get(key);
    if (entry === undefined) return 0;
    return Number(finishedAt / 1_000_000n) + entry.pauseMs - now;
  }

  /** `key` is started again: its next pause is twice as long, or the first one after a long good run. */
  started(key: string, now: number): void {
    const entry = this.#pauses.get(key);
    const again = entry !== undefined && now - entry.lastStart < 2 * this.#maxMs + entry.pauseMs;
    const pauseMs = again ? Math.min(this.#maxMs, entry.pauseMs * 2) : this.#initialMs;
    this.#pauses.set(key, { pauseMs, lastStart: now });
  }
}
