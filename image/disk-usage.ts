import type { BigIntStats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { isErrno } from '../native/errno.ts';

/** Bytes on disk and inodes of a tree. */
export interface TreeUsage {
  bytes: number;
  inodes: number;
}

const SECTOR = 512;

/**
 * Walks a tree and sums up what it takes: blocks as stat(2) counts them, a file with several links once. One file
 * system call at a time, so that a large tree holds one thread of the pool at most. What goes away meanwhile is not
 * counted, nor what is nested deeper than a path can name.
 */
export async function treeUsage(root: string, signal?: AbortSignal): Promise<TreeUsage> {
  const linked = new Set<string>();
  const total = { bytes: 0, inodes: 0 };
  const count = (stat: BigIntStats): void => {
    if (stat.nlink > 1n && !stat.isDirectory()) {
      const key = `${stat.dev}:${stat.ino}`;
      if (linked.has(key)) return;
      linked.add(key);
    }
    total.inodes++;
    total.bytes += Number(stat.blocks) * SECTOR;
  };
  const todo: Buffer[] = [Buffer.from(root)];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    signal?.throwIfAborted();
    try {
      const stat = await lstat(path, { bigint: true });
      count(stat);
      if (stat.isDirectory()) await visit(path, todo, count, signal);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) throw error;
    }
  }
  return total;
}

async function visit(
  path: Buffer,
  todo: Buffer[],
  count: (stat: BigIntStats) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const entry of await openRaw(path)) {
    signal?.throwIfAborted();
    const child = Buffer.concat([path, SLASH, entry.name]);
    if (entry.isDirectory()) {
      todo.push(child);
      continue;
    }
    try {
      count(await lstat(child, { bigint: true }));
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENAMETOOLONG')) throw error;
    }
  }
}

const SLASH = Buffer.from('/');

/** A directory entry whose name is bytes. */
export interface RawEntry {
  name: Buffer;
  isDirectory(): boolean;
}

/** The entries of a directory with names as bytes, a few at a time. Node's types know `opendir` only with text. */
export async function openRaw(path: Buffer): Promise<AsyncIterable<RawEntry>> {
  const options = { encoding: 'buffer' as BufferEncoding, bufferSize: 256 };
  const directory = await opendir(path as unknown as string, options);
  return directory as unknown as AsyncIterable<RawEntry>;
}
