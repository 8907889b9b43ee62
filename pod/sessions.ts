import { sleep } from '../ground/wait.ts';

/** How long the end of all sessions is waited for: a killed command may hang in the kernel. */
const END_LIMIT_MS = 2_000;

/** The sessions that stand open: commands with streams, attachments. They end with the daemon. */
export class Sessions {
  readonly #open = new Map<() => void, Promise<unknown>>();

  get size(): number {
    return this.#open.size;
  }

  /** Notes one until `over` settles; `end` ends it. */
  add(end: () => void, over: Promise<unknown>): void {
    this.#open.set(end, over);
    const remove = (): void => void this.#open.delete(end);
    over.then(remove, remove);
  }

  /** Ends all, and resolves when they are over, two seconds later at most. */
  async close(): Promise<void> {
    const over = Promise.allSettled(this.#open.values());
    for (const end of this.#open.keys()) end();
    const enough = new AbortController();
    await Promise.race([over, sleep(END_LIMIT_MS, enough.signal).catch(() => {})]);
    enough.abort();
  }
}
