import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, opendir, readdir } from 'node:fs/promises';
import { isErrno } from '../native/errno.ts';

/** Bytes on disk and inodes of a tree. */
export interface TreeUsage {
  bytes: number;
  inodes: number;
}

const SECTOR = 512;

/** A directory up to this size is read at once: one call of the pool's, where a few at a time take four. */
const SMALL_DIRECTORY_BYTES = 64n * 1024n;

/** Paths longer than this go on from an open directory, since a tree can be deeper than a path can name. */
const MAX_PATH = 2048;

/**
 * Walks a tree and sums up what it takes: blocks as stat(2) counts them, a file with several links once. One file
 * system call at a time, so that a large tree holds one thread of the pool at most. What goes away meanwhile is not
 * counted.
 */
export async function treeUsage(root: string, signal?: AbortSignal): Promise<TreeUsage> {
  const walk = new Walk(signal);
  await walk.one(Buffer.from(root));
  return walk.total;
}

class Walk {
  readonly total = { bytes: 0, inodes: 0 };
  readonly #linked = new Set<string>();
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Counts what `path` names, and all below it. */
  async one(path: Buffer): Promise<void> {
    const todo = [path];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      this.#signal?.throwIfAborted();
      try {
        const stat = await lstat(next, { bigint: true });
        if (!this.#count(stat)) continue;
        if (next.length > MAX_PATH) await this.#elsewhere(next);
        else todo.push(...(await this.#inside(next, stat.size <= SMALL_DIRECTORY_BYTES)));
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      }
    }
  }

  async #elsewhere(path: Buffer): Promise<void> {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const inside = await this.#inside(Buffer.from(`/proc/self/fd/${directory.fd}`), false);
      for (const child of inside) await this.one(child);
    } finally {
      await directory.close();
    }
  }

  /** Counts the files of a directory; returns its directories. */
  async #inside(path: Buffer, small: boolean): Promise<Buffer[]> {
    const directories: Buffer[] = [];
    for await (const entry of await (small ? readRaw(path) : openRaw(path))) {
      this.#signal?.throwIfAborted();
      const child = Buffer.concat([path, SLASH, entry.name]);
      if (entry.isDirectory()) directories.push(child);
      else await this.#file(child);
    }
    return directories;
  }

  async #file(path: Buffer): Promise<void> {
    try {
      this.#count(await lstat(path, { bigint: true }));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  /** True for a directory. */
  #count(stat: BigIntStats): boolean {
    const directory = stat.isDirectory();
    if (stat.nlink > 1n && !directory) {
      const key = `${stat.dev}:${stat.ino}`;
      if (this.#linked.has(key)) return false;
      this.#linked.add(key);
    }
    this.total.inodes++;
    this.total.bytes += Number(stat.blocks) * SECTOR;
    return directory;
  }
}

const SLASH = Buffer.from('/');

/** A directory entry whose name is bytes. */
export interface RawEntry {
  name: Buffer;
  isDirectory(): boolean;
}

/** The entries of a directory with names as bytes, all at once. */
function readRaw(path: Buffer): Promise<RawEntry[]> {
  return readdir(path, { encoding: 'buffer', withFileTypes: true });
}

/** The entries of a directory with names as bytes, a few at a time. Node's types know `opendir` only with text. */
export async function openRaw(path: Buffer): Promise<AsyncIterable<RawEntry>> {
  const options = { encoding: 'buffer' as BufferEncoding, bufferSize: 256 };
  const directory = await opendir(path, options);
  return directory as unknown as AsyncIterable<RawEntry>;
}
