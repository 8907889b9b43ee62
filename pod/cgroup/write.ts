import { constants } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Fault, messageOf } from '../../ground/fault.ts';
import { Limit } from '../../ground/limit.ts';
import { isErrno } from '../../native/errno.ts';
import type { CgroupWrite } from './limits.ts';

/** A lower memory limit makes the kernel look for memory to give back, which takes a while: at most so many threads. */
const POOL = new Limit(2);

/**
 * What the files hold that these writes are about to change: writing it back, last one first, undoes them. Files that
 * cannot be read (write-only ones) cannot be undone and are left out.
 */
export async function valuesBefore(writes: readonly CgroupWrite[]): Promise<CgroupWrite[]> {
  const before: CgroupWrite[] = [];
  for (const { file, value } of writes) {
    try {
      const text = await readFile(file, 'latin1');
      before.push(...linesToRestore(file, text.trimEnd(), value));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENODEV')) throw missing(file, error);
      if (!isErrno(error, 'EACCES', 'EINVAL')) throw error;
    }
  }
  return before;
}

/** Files like io.max take one line a write, and list no device that has no limit. */
function linesToRestore(file: string, text: string, value: string): CgroupWrite[] {
  if (basename(file) !== 'io.max') return [{ file, value: text }];
  const devices = value.split('\n').map((line) => line.split(' ')[0]!);
  const lines = text.split('\n');
  return devices.map((device) => ({
    file,
    value:
      lines.find((line) => line.startsWith(`${device} `)) ??
      `${device} rbps=max wbps=max riops=max wiops=max`,
  }));
}

/**
 * Makes all of the writes, or none: when one fails, those before it are undone with `before` (of `valuesBefore`) and
 * a Fault says which one it was. Aborting the signal undoes them too, between two writes. The work is done on Node's
 * thread pool.
 */
export async function writeAll(
  writes: readonly CgroupWrite[],
  before: readonly CgroupWrite[],
  signal?: AbortSignal,
): Promise<void> {
  const touched = new Set<string>();
  try {
    for (const write of writes) {
      touched.add(write.file);
      for (const value of write.value.split('\n')) await writeOne(write.file, value, signal);
    }
  } catch (error) {
    await restore(before.filter(({ file }) => touched.has(file)));
    throw error;
  }
}

/** Writes earlier values back, last one first. What cannot be written any more stays. */
export async function restore(before: readonly CgroupWrite[]): Promise<void> {
  for (const { file, value } of before.toReversed()) {
    await writeOne(file, value).catch(() => {
      // The cgroup has gone with its container, or the file never took the new value either.
    });
  }
}

async function writeOne(file: string, value: string, signal?: AbortSignal): Promise<void> {
  try {
    // An empty write does nothing; an empty line empties a cpuset.
    const flag = constants.O_WRONLY | constants.O_TRUNC;
    await POOL.run(() => writeFile(file, value === '' ? '\n' : value, { flag }), signal);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) throw missing(file, error);
    if (!(error instanceof Error && 'code' in error && 'syscall' in error)) throw error;
    throw new Fault('invalid', `The kernel refuses ${JSON.stringify(value)} for ${basename(file)}`, {
      cause: error,
      hint: hintFor(basename(file)),
    });
  }
}

function missing(file: string, cause: unknown): Fault {
  return new Fault('precondition', `The cgroup ${dirname(file)} has no ${basename(file)}`, {
    cause: messageOf(cause).includes('ENODEV') ? cause : undefined,
    hint: 'its controller is not enabled there, or the cgroup has gone',
  });
}

function hintFor(file: string): string {
  if (file.startsWith('memory.')) return 'more memory than that may be in use';
  if (file.startsWith('cpuset.')) return "it has to be a part of what the pod's cgroup may use";
  if (file.startsWith('cpu.')) return "the pod's cgroup may allow less than that";
  return 'look up the values that this file takes in cgroup-v2.rst';
}
