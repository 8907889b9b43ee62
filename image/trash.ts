import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { lstat, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import { isErrno } from '../native/errno.ts';
import { openRaw } from './disk-usage.ts';

/** Deeper trees are taken apart: a container can nest directories beyond what a path can name. */
const MAX_PATH = 2048;

/**
 * Takes directories out of use at once (rename) and deletes them in the background, one file system call at a
 * time, so that a large tree never fills the thread pool. What a dead process left is deleted at the next start.
 */
export class Trash {
  readonly #directory: string;
  readonly #log: Log;
  #next = 0;
  #emptying: Promise<void> | undefined;
  #closed = false;
  /** Something came since the directory was last read. */
  #more = false;

  /** `directory` is made; it stands on the file system of everything that will be taken. */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) this.#next = Math.max(this.#next, Number(name) + 1 || 0);
    this.#empty();
  }

  /** Takes `path` away. No error when nothing is there. */
  take(path: string): void {
    try {
      renameSync(path, this.#newPlace());
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    this.#empty();
  }

  /** Resolves when all that was taken so far is deleted, as far as it can be. */
  async emptied(): Promise<void> {
    await this.#emptying;
  }

  /** Stops deleting; the rest waits for the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#emptying;
  }

  #newPlace(): string {
    return join(this.#directory, String(this.#next++));
  }

  #empty(): void {
    this.#more = true;
    this.#emptying ??= this.#run();
  }

  async #run(): Promise<void> {
    // Not in the caller's turn: it is about to remember this very run.
    await Promise.resolve();
    try {
      while (this.#more && !this.#closed) {
        this.#more = false;
        for (const name of readdirSync(this.#directory))
          await this.#deleteOrWarn(join(this.#directory, name));
      }
    } finally {
      this.#emptying = undefined;
    }
  }

  /** What cannot be deleted now is tried again when more comes, and at the next start. */
  async #deleteOrWarn(path: string): Promise<void> {
    try {
      if (!this.#closed) await this.#delete(path);
    } catch (error) {
      this.#log.warn({ path, reason: messageOf(error) }, 'what was removed cannot be deleted');
    }
  }

  async #delete(path: string): Promise<void> {
    if (!(await lstat(path)).isDirectory()) {
      await unlink(path);
      return;
    }
    if (path.length > MAX_PATH) {
      await rename(path, this.#newPlace());
      this.#more = true;
      return;
    }
    for await (const entry of await openRaw(Buffer.from(path))) {
      if (this.#closed) return;
      const child = Buffer.concat([Buffer.from(`${path}/`), entry.name]);
      if (entry.isDirectory()) await this.#deleteDirectory(child);
      else await unlink(child);
    }
    if (!this.#closed) await rmdir(path);
  }

  async #deleteDirectory(path: Buffer): Promise<void> {
    const text = path.toString();
    if (Buffer.from(text).equals(path)) return this.#delete(text);
    // A name that is no text gets one that is.
    const place = this.#newPlace();
    await rename(path, place);
    await this.#delete(place);
  }
}
