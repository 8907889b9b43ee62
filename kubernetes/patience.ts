import { Fault } from '../ground/fault.ts';

/** Ends a request when its time is over. */
export class Patience implements Disposable {
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.renew(ms);
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** From now on it is over in `ms` milliseconds. */
  renew(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#over.abort(new Fault('unavailable', 'The API server has fallen silent')),
      ms,
    );
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
