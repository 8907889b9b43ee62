import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../native/errno.ts';

/** The text of a cgroup's file; undefined when the file, or the whole cgroup, is not there. */
export function readText(directory: string | undefined, file: string): string | undefined {
  if (directory === undefined) return undefined;
  try {
    return readFileSync(join(directory, file), 'latin1');
  } catch (error) {
    // EOPNOTSUPP: the kernel was told not to keep these numbers (cgroup.pressure, psi=0).
    if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP')) return undefined;
    throw error;
  }
}

/** One number; undefined for `max` and when there is no such file. */
export function readNumber(directory: string | undefined, file: string): bigint | undefined {
  const text = readText(directory, file)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : BigInt(text);
}

/** Lines of `name number`; undefined when there is no such file. */
export function readTable(directory: string | undefined, file: string): Map<string, bigint> | undefined {
  const text = readText(directory, file);
  if (text === undefined) return undefined;
  const table = new Map<string, bigint>();
  for (const line of text.split('\n')) {
    const [name, value] = line.split(' ');
    if (name !== undefined && value !== undefined && /^\d+$/.test(value)) table.set(name, BigInt(value));
  }
  return table;
}
