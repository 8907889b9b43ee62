import { Fault } from '../../ground/fault.ts';

/**
 * Checks of what a caller sends. Each takes the value and the path of its field (`config.metadata.name`), gives back
 * the value in the form that the rooms work with, or throws Fault `invalid` that names the field.
 */

/** Refuses the field at `path`. */
export function refuse(path: string, why: string): never {
  throw new Fault('invalid', `${path} ${why}`);
}

/** A message that has to be there. */
export function required<T>(value: T | null, path: string): T {
  return value ?? refuse(path, 'is missing');
}

/** A message for another operating system: it must not be there (proto: "applicable to Windows"). */
export function notForWindows(message: object | null, path: string): void {
  if (message !== null) refuse(path, 'is set, and Berth runs on Linux');
}

/** A text that has to be there. */
export function filled(text: string, path: string): string {
  return text === '' ? refuse(path, 'is empty') : text;
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;

/** A text on one line, without control characters: it goes into files and messages that people read. */
export function oneLine(text: string, path: string): string {
  return CONTROL.test(text) ? refuse(path, 'holds a control character') : text;
}

/** The name that the number of an enum stands for; `names[number]`. */
export function named<T extends string>(names: readonly T[], value: number, path: string): T {
  const name = names[value];
  if (name !== undefined) return name;
  return refuse(
    path,
    `is ${value}: it has to be one of 0 (${names[0]}) to ${names.length - 1} (${names.at(-1)})`,
  );
}

/** A whole number within bounds. 64-bit numbers come out as plain ones. */
export function whole(
  value: number | bigint,
  path: string,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (value >= min && value <= max) return Number(value);
  return refuse(path, `is ${value}: it has to lie between ${min} and ${max}`);
}

/** An absolute path, or nothing. */
export function absoluteOrEmpty(text: string, path: string): string {
  return text === '' || text.startsWith('/')
    ? text
    : refuse(path, `is ${JSON.stringify(text)}: it has to be an absolute path`);
}

/** An absolute path. */
export function absolute(text: string, path: string): string {
  return absoluteOrEmpty(filled(text, path), path);
}

/** Labels, annotations and the like: names are not empty. */
export function keyed(map: Record<string, string>, path: string): Record<string, string> {
  return '' in map ? refuse(path, 'has an empty key') : map;
}

/**
 * Refuses any text with a NUL anywhere in the message: the kernel ends texts there, so what is checked would not be
 * what is used. Bytes are looked at only where the caller says so.
 */
export function noNul(message: unknown, path: string): void {
  if (typeof message === 'string') {
    if (message.includes('\0')) refuse(path, 'holds a NUL character');
    return;
  }
  if (message === null || typeof message !== 'object' || message instanceof Uint8Array) return;
  for (const [key, value] of Object.entries(message) as [string, unknown][]) {
    if (key.includes('\0')) refuse(path, 'has a key with a NUL character');
    if (typeof value === 'string' || typeof value === 'object')
      noNul(value, Array.isArray(message) ? `${path}[${key}]` : `${path}.${key}`);
  }
}
