/** Wakes who waits for something to do. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Ends the wait that goes on, or else the next one. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when it was rung since the last wait, after `ms` milliseconds, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          this.#wake = undefined;
          resolve();
        };
        // A timer has 31 bits of milliseconds.
        const timer = setTimeout(wake, Math.min(ms, 2 ** 31 - 1));
        signal.addEventListener('abort', wake, { once: true });
        this.#wake = wake;
      });
    this.#rung = false;
  }
}
