/**
 * At most `size` holders at once; the rest wait in order of arrival. A waiter that is aborted leaves the queue.
 */
export class Limit {
  #size: number;
  #held = 0;
  readonly #queue: (() => void)[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Another bound from now on; who holds a place above it keeps that. */
  resize(size: number): void {
    this.#size = size;
    while (this.#held < this.#size && this.#queue.length > 0) this.#queue.shift()!();
  }

  /** Runs `work` as soon as there is room. Rejects with the signal's reason when it aborts before that. */
  async run<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(signal);
    try {
      return await work();
    } finally {
      this.#held--;
      if (this.#held < this.#size) this.#queue.shift()?.();
    }
  }

  #acquire(signal?: AbortSignal): Promise<void> | void {
    signal?.throwIfAborted();
    if (this.#held < this.#size) {
      this.#held++;
      return;
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', abort);
        this.#held++;
        resolve();
      };
      const abort = (): void => {
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        reject(signal!.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(enter);
    });
  }
}
