import { readlinkSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { basename } from 'node:path';

/** The file system on which writable layers lie. */
export interface FilesystemFacts {
  device: string;
  bytes: bigint;
  inodes: bigint;
  inodesFree: bigint;
}

/** Sizes of the file system that holds `path`, asked on the thread pool; undefined when the path is gone. */
export async function filesystemFacts(path: string): Promise<FilesystemFacts | undefined> {
  try {
    const [{ dev }, sizes] = await Promise.all([
      stat(path, { bigint: true }),
      statfs(path, { bigint: true }),
    ]);
    // makedev(3): the minor number stands on both sides of the major one.
    const major = (dev >> 8n) & 0xfffn;
    const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
    return {
      device: deviceName(String(major), String(minor)),
      bytes: sizes.blocks * sizes.bsize,
      inodes: sizes.files,
      inodesFree: sizes.ffree,
    };
  } catch {
    return undefined; // the layer went away with its container
  }
}

const names = new Map<string, string>();
const MAX_NAMES = 1000;

/** `/dev/sda` for the numbers of a block device, the numbers when nothing has that name. */
export function deviceName(major: string, minor: string): string {
  const numbers = `${major}:${minor}`;
  let name = names.get(numbers);
  if (name === undefined) {
    name = readDeviceName(numbers);
    if (names.size >= MAX_NAMES) names.clear();
    names.set(numbers, name);
  }
  return name;
}

function readDeviceName(numbers: string): string {
  try {
    return `/dev/${basename(readlinkSync(`/sys/dev/block/${numbers}`))}`;
  } catch {
    return numbers; // no block device: a file system of memory, or a union
  }
}
