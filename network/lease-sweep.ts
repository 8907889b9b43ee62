import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { AddressLeases } from './address-leases.ts';
import { linkNames } from './link-names.ts';

/** How often it looks while leases are on their way out. */
const INTERVAL_MS = 200;
/** How long a link may outlive its release: while its namespace is pinned, and after that. */
const PINNED_PATIENCE_MS = 5000;
const UNPINNED_PATIENCE_MS = 1000;

/**
 * Frees the addresses of released leases once their links are gone. A link goes with its namespace, in the kernel's
 * own time; dropping namespaces is a thousand times cheaper than deleting links. A link that stays (a process holds
 * the namespace) is deleted after a while.
 */
export class LeaseSweep {
  readonly #leases: AddressLeases;
  readonly #reap: (names: string[]) => Promise<void>;
  readonly #log: Log;
  readonly #due = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #reaping: Promise<void> | undefined;

  constructor(leases: AddressLeases, reap: (names: string[]) => Promise<void>, log: Log) {
    this.#leases = leases;
    this.#reap = reap;
    this.#log = log;
  }

  /** Looks after a lease that was released just now. `pinned`: whether its namespace still has its pin. */
  watch(id: string, pinned: boolean): void {
    this.#due.set(id, performance.now() + (pinned ? PINNED_PATIENCE_MS : UNPINNED_PATIENCE_MS));
    this.#schedule();
  }

  /** Looks at once: drops the released leases whose links are gone. The rest is looked after. */
  now(): void {
    const releasing = this.#leases.entries().filter(([, lease]) => lease.state === 'releasing');
    if (releasing.length === 0) return;
    const present = linkNames();
    const late: string[] = [];
    for (const [id, { link }] of releasing) {
      if (!present.has(link)) {
        this.#leases.drop(id);
        this.#due.delete(id);
        continue;
      }
      const due = this.#due.get(id) ?? performance.now() + UNPINNED_PATIENCE_MS;
      this.#due.set(id, due);
      if (performance.now() >= due) late.push(link);
    }
    if (late.length > 0) this.#delete(late);
    this.#schedule();
  }

  /** Waits for a deletion that is under way. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due.clear();
    await this.#reaping;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#due.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.now();
    }, INTERVAL_MS).unref();
  }

  #delete(links: string[]): void {
    if (this.#reaping !== undefined) return;
    this.#log.warn({ links }, 'Links have outlived their pods; they are deleted');
    this.#reaping = this.#reap(links)
      .catch((error: unknown) =>
        this.#log.warn({ links, error: messageOf(error) }, 'Links cannot be deleted'),
      )
      .finally(() => (this.#reaping = undefined));
  }
}
