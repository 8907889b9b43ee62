import { waitOrAbort } from '../ground/wait.ts';

/** Who asks: when it leaves, and how it hears of progress. */
export interface Caller<E> {
  signal?: AbortSignal | undefined;
  listener?: ((event: E) => void) | undefined;
}

/** The work itself: ended by the signal, it tells all callers what happens. */
export type Work<T, E> = (signal: AbortSignal, tell: (event: E) => void) => Promise<T>;

interface Running<T, E> {
  result: Promise<T>;
  abort: AbortController;
  callers: number;
  listeners: Set<{ tell: ((event: E) => void) | undefined }>;
}

/**
 * Work that is done once however many ask for it. Callers with the same key join the running work and get its
 * result; one who leaves (signal) ends the work only when nobody else waits for it.
 */
export class SharedWork<T, E = never> {
  readonly #running = new Map<string, Running<T, E>>();

  /** Keys of what is running. */
  keys(): string[] {
    return [...this.#running.keys()];
  }

  /**
   * Joins or starts the work of `key`. `work` gets the signal that ends it and a function that tells all callers'
   * `listener`s. Rejects with the caller's abort reason, or with the work's error.
   */
  async join(key: string, caller: Caller<E>, work: Work<T, E>): Promise<T> {
    caller.signal?.throwIfAborted();
    let running = this.#running.get(key);
    // Who comes while abandoned work is being taken down starts anew.
    if (running === undefined || running.abort.signal.aborted) running = this.#start(key, work);
    const { abort, listeners } = running;
    running.callers++;
    // An object of its own: two callers may bring the same function.
    const place = { tell: caller.listener };
    listeners.add(place);
    try {
      return await waitOrAbort(running.result, caller.signal);
    } finally {
      listeners.delete(place);
      if (--running.callers === 0) abort.abort();
    }
  }

  /** Like `join`, but when the work that was joined fails, the caller tries its own: it may know a better way. */
  async joinOrRetry(key: string, caller: Caller<E>, work: Work<T, E>): Promise<T> {
    for (;;) {
      let own = false;
      try {
        return await this.join(key, caller, (signal, tell) => {
          own = true;
          return work(signal, tell);
        });
      } catch (error) {
        if (own || caller.signal?.aborted === true) throw error;
      }
    }
  }

  #start(key: string, work: Work<T, E>): Running<T, E> {
    const abort = new AbortController();
    const listeners: Running<T, E>['listeners'] = new Set();
    const before = this.#running.get(key)?.result ?? Promise.resolve();
    const result = before
      .then(ignore, ignore)
      .then(() =>
        work(abort.signal, (event) => {
          for (const { tell } of listeners) tell?.(event);
        }),
      )
      .finally(() => {
        if (this.#running.get(key) === running) this.#running.delete(key);
      });
    // The callers see the error; when all of them have left, nobody does.
    result.catch(ignore);
    const running: Running<T, E> = { result, abort, callers: 0, listeners };
    this.#running.set(key, running);
    return running;
  }
}

function ignore(): void {}
