import { readFileSync } from 'node:fs';
import { isErrno } from '../../native/errno.ts';

/**
 * The text of a cgroup's file; undefined when the file, or the whole cgroup, is not there. Read as UTF-8, although it is
 * ASCII: Node makes the text without a buffer in between then, in half of the time, and a list of statistics reads
 * thousands of these files.
 */
export function readText(directory: string | undefined, file: string): string | undefined {
  if (directory === undefined) return undefined;
  try {
    return readFileSync(`${directory}/${file}`, 'utf8');
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

/** Numbers by name. */
export interface Table {
  get(name: string): bigint | undefined;
}

/**
 * Lines of `name number`; undefined when there is no such file. Only what is asked for is parsed: memory.stat has some
 * fifty lines, of which a few are needed.
 */
export function readTable(directory: string | undefined, file: string): Table | undefined {
  const text = readText(directory, file);
  return text === undefined ? undefined : { get: (name) => numberAfter(text, `${name} `) };
}

function numberAfter(text: string, name: string): bigint | undefined {
  const at = text.startsWith(name) ? 0 : text.indexOf(`\n${name}`) + 1;
  if (at === 0 && !text.startsWith(name)) return undefined;
  const end = text.indexOf('\n', at);
  const value = text.slice(at + name.length, end < 0 ? undefined : end);
  return /^\d+$/.test(value) ? BigInt(value) : undefined;
}
