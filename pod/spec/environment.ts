import { Fault } from '../../ground/fault.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentSources {
  /** The image's entries, `K=V`. */
  image: string[];
  /** The caller's entries; values are bytes (CRI KeyValue since 1.36). */
  container: { key: string; value: Uint8Array }[];
  hostname: string;
  tty: boolean;
  /** Home directory from the image's passwd file. */
  home?: string;
}

/**
 * The process's environment, `K=V`: defaults (PATH, HOSTNAME, TERM with a terminal, HOME), then the image's entries,
 * then the caller's; a later entry replaces an earlier one in its place.
 *
 * Throws `invalid` for what config.json, or execve, cannot carry: values that are not UTF-8, NUL bytes, names that
 * are empty or contain `=`. Image entries without `=` are left out with a note.
 */
export function environment(sources: EnvironmentSources, notes: string[]): string[] {
  const entries = new Map<string, string>([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', sources.hostname],
  ]);
  if (sources.tty) entries.set('TERM', 'xterm');
  if (sources.home !== undefined) entries.set('HOME', sources.home);
  for (const entry of sources.image) {
    const split = entry.indexOf('=');
    if (split < 1) {
      notes.push(`image environment entry ${quoted(entry)} has no name and value: left out`);
      continue;
    }
    entries.set(entry.slice(0, split), textWithoutNul(entry.slice(0, split), entry.slice(split + 1)));
  }
  for (const { key, value } of sources.container) {
    if (key === '' || key.includes('=') || key.includes('\0'))
      throw new Fault(
        'invalid',
        `The environment variable name ${quoted(key)} is empty or contains = or NUL`,
      );
    entries.set(key, textWithoutNul(key, decoded(key, value)));
  }
  return [...entries].map(([key, value]) => `${key}=${value}`);
}

function decoded(key: string, value: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw new Fault('invalid', `The value of the environment variable ${quoted(key)} is not valid UTF-8`, {
      hint: 'the OCI configuration is JSON and cannot carry other bytes',
      cause,
    });
  }
}

function textWithoutNul(key: string, value: string): string {
  if (value.includes('\0'))
    throw new Fault('invalid', `The value of the environment variable ${quoted(key)} contains a NUL byte`);
  return value;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
