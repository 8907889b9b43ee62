import { Limit } from '../../ground/limit.ts';
import { inTime, sleep } from '../../ground/wait.ts';
import type { FilesystemUsage } from '../../image/images.ts';

/** How long a caller waits for a walk that is under way; then it gets what the last one found. */
const PATIENCE_MS = 100;
/** A walk that takes longer is given up: nobody needs numbers that old. */
const WALK_LIMIT_MS = 120_000;
const MIN_AGE_MS = 1_000;
/** A layer is walked again when it has rested this many times as long as the walk took: 5 % of one thread at most. */
const REST = 20;

/** What a walk found, and when. */
export interface LayerUsage extends FilesystemUsage {
  atNs: bigint;
}

/** One for all layers: a walk reads every inode of what a container wrote, and there may be a million. */
const WALKS = new Limit(2);

/**
 * The size of a container's writable layer, which nothing keeps count of: it is walked in the background when somebody
 * asks and the last walk is old, and callers never wait long for it.
 */
export class LayerWatch {
  readonly #walk: (signal: AbortSignal) => Promise<FilesystemUsage>;
  #last: LayerUsage | undefined;
  #restUntil = 0;
  #running: Promise<void> | undefined;

  constructor(walk: (signal: AbortSignal) => Promise<FilesystemUsage>) {
    this.#walk = walk;
  }

  /** The newest numbers; undefined while there are none. `nowNs` is the clock that they are stamped with. */
  async usage(nowNs: () => bigint): Promise<LayerUsage | undefined> {
    if (performance.now() >= this.#restUntil) this.#running ??= this.#refresh(nowNs);
    if (this.#running !== undefined) {
      const enough = new AbortController();
      const late = sleep(PATIENCE_MS, enough.signal).catch(() => {
        // The walk came first.
      });
      await Promise.race([this.#running, late]);
      enough.abort();
    }
    return this.#last;
  }

  async #refresh(nowNs: () => bigint): Promise<void> {
    try {
      await WALKS.run(async () => {
        const begun = performance.now();
        try {
          this.#last = { ...(await inTime(WALK_LIMIT_MS, this.#walk)), atNs: nowNs() };
        } finally {
          const took = performance.now() - begun;
          this.#restUntil = performance.now() + Math.max(MIN_AGE_MS, took * REST);
        }
      });
    } catch {
      // The container went away, or its layer cannot be read: the last numbers stand, if there are any.
    } finally {
      this.#running = undefined;
    }
  }
}
