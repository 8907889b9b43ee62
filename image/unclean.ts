import { existsSync, readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The mark that layers are being written: `root/unclean` holds the name of the boot in which they are.
 *
 *     (no file) ── first layer of a run ──> file ── orderly end ──> (no file)
 *
 * A file of an earlier boot says that the node went down without an orderly end: the store is looked through then.
 * The death of the daemon alone takes nothing with it, since the kernel still writes what it was given.
 */
export class UncleanMark {
  readonly #file: string;
  readonly #bootId: string;
  #marking: Promise<void> | undefined;

  constructor(root: string, bootId: string) {
    this.#file = join(root, 'unclean');
    this.#bootId = bootId;
  }

  /** Whether the node went down, in an earlier boot, while layers may have been written. */
  get nodeWentDown(): boolean {
    return existsSync(this.#file) && readFileSync(this.#file, 'utf8').trim() !== this.#bootId;
  }

  /** Makes the mark, durable, before the first layer is written. Again: does nothing. */
  set(): Promise<void> {
    this.#marking ??= this.#write().catch((error: unknown) => {
      this.#marking = undefined;
      throw error;
    });
    return this.#marking;
  }

  /** Takes the mark away: all layers that have a record are whole on disk. */
  async clear(): Promise<void> {
    this.#marking = undefined;
    await rm(this.#file, { force: true });
  }

  async #write(): Promise<void> {
    // The older mark says more: nobody has looked through the store yet.
    if (this.nodeWentDown) return;
    {
      await using file = await open(this.#file, 'w', 0o600);
      await file.writeFile(`${this.#bootId}\n`);
      await file.sync();
    }
    await using directory = await open(dirname(this.#file));
    await directory.sync();
  }
}
