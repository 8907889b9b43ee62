import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const SAMPLE_MS = 25;
/** A caller notices this. */
export const STALL_MS = 50;

/** How late the event loop ran its timers, since it was last asked. */
export interface LoopDelay {
  maxSeconds: number;
  p50Seconds: number;
  p99Seconds: number;
}

/** Watches from `start` on how late the event loop is: a timer compares when it runs with when it should. */
export class EventLoopWatch {
  readonly #delays: RecordableHistogram = createHistogram();
  readonly #nowMs: () => number;
  #timer: NodeJS.Timeout | undefined;
  #expected = 0;
  #stalls = 0;

  /** `nowMs`: a monotonic clock. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  start(): void {
    this.#expected = this.#nowMs() + SAMPLE_MS;
    this.#timer = setInterval(() => this.sample(), SAMPLE_MS).unref();
  }

  /** Delays above STALL_MS since the start. */
  get stalls(): number {
    return this.#stalls;
  }

  /** The delays since the last call of this. */
  take(): LoopDelay {
    const seconds = (ns: number): number => (this.#delays.count === 0 ? 0 : ns / 1e9);
    const delay = {
      maxSeconds: seconds(this.#delays.max),
      p50Seconds: seconds(this.#delays.percentile(50)),
      p99Seconds: seconds(this.#delays.percentile(99)),
    };
    this.#delays.reset();
    return delay;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The timer's turn: the time since the last one counts. */
  sample(): void {
    const now = this.#nowMs();
    const lateMs = now - this.#expected;
    // The histogram takes nothing below one nanosecond; a timer can be early by a fraction of a millisecond.
    this.#delays.record(Math.max(1, Math.round(lateMs * 1e6)));
    if (lateMs > STALL_MS) this.#stalls++;
    this.#expected = now + SAMPLE_MS;
  }
}
