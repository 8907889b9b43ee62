import { Limit } from '../ground/limit.ts';
import { treeUsage, type TreeUsage } from './disk-usage.ts';

/** Trees that are walked at once: each walk takes a thread of the pool now and then. */
const WALKS = 2;
/** Nobody looks at a figure more often. */
const FRESH_MS = 500;
/** A walk may take a twentieth of the time: a tree whose walk takes a second is walked three times a minute. */
const REST = 20;
/** Who asks does not wait for a longer walk when there is an older figure. */
const QUICK_MS = 20;

interface Figure {
  usage: TreeUsage;
  at: number;
  tookMs: number;
}

/**
 * How much directories hold, for those who ask all the time: each tree is walked now and then, not for each question,
 * and the larger the tree, the more seldom. An answer is as old as that makes it.
 */
export class UsageMeter {
  readonly #limit = new Limit(WALKS);
  readonly #figures = new Map<string, Figure>();
  readonly #walks = new Map<string, Promise<TreeUsage>>();
  readonly #walk: (path: string) => Promise<TreeUsage>;

  readonly #now: () => number;

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(
    walk: (path: string) => Promise<TreeUsage> = treeUsage,
    now: () => number = () => performance.now(),
  ) {
    this.#walk = walk;
    this.#now = now;
  }

  /** What the tree at `path` holds. Rejects when it cannot be walked and never could. */
  async usage(path: string): Promise<TreeUsage> {
    const known = this.#figures.get(path);
    if (known !== undefined) {
      const age = this.#now() - known.at;
      if (age < Math.max(FRESH_MS, REST * known.tookMs)) return known.usage;
      if (known.tookMs > QUICK_MS) {
        // The older figure stays when it fails.
        this.#begin(path).catch(() => {});
        return known.usage;
      }
    }
    return this.#begin(path);
  }

  /** All figures that are known, summed up. */
  total(): TreeUsage {
    let [bytes, inodes] = [0, 0];
    for (const { usage } of this.#figures.values()) {
      bytes += usage.bytes;
      inodes += usage.inodes;
    }
    return { bytes, inodes };
  }

  /** The tree is gone. */
  forget(path: string): void {
    this.#figures.delete(path);
    this.#walks.delete(path);
  }

  #begin(path: string): Promise<TreeUsage> {
    const running = this.#walks.get(path);
    if (running !== undefined) return running;
    const walk = this.#limit.run(() => this.#measure(path));
    this.#walks.set(path, walk);
    const over = (): void => {
      if (this.#walks.get(path) === walk) this.#walks.delete(path);
    };
    walk.then(over, over);
    return walk;
  }

  async #measure(path: string): Promise<TreeUsage> {
    const begun = this.#now();
    const usage = await this.#walk(path);
    const at = this.#now();
    // Forgotten meanwhile: nobody would forget it again.
    if (this.#walks.has(path)) this.#figures.set(path, { usage, at, tookMs: at - begun });
    return usage;
  }
}
