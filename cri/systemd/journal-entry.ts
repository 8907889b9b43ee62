import type { Log } from '../../ground/log.ts';

/** Priorities of syslog(3). */
const PRIORITY: Record<keyof Log, number> = { error: 3, warn: 4, info: 6, debug: 7 };

/** What this house calls a sandbox is a pod for those who search the journal. */
const NAMES = new Map([
  ['sandbox', 'BERTH_POD'],
  ['id', 'BERTH_OBJECT'],
]);
/** systemd.journal-fields(7): capital letters, digits and underscores, at most 64 characters. */
const MAX_NAME = 64;
/** Longer values stand in their fields alone. */
const MAX_IN_MESSAGE = 200;

/**
 * One line of the log as an entry of the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): `MESSAGE` for
 * people, with the short fields behind it, and every field by itself: `BERTH_POD`, `BERTH_CONTAINER`, `BERTH_STAGE`, ….
 */
export function journalEntry(level: keyof Log, fields: object, message: string): Buffer {
  const values = Object.entries(fields).flatMap(([key, value]): [string, string][] => {
    const text = textOf(value);
    return text === undefined ? [] : [[key, text]];
  });
  const shown = values
    .filter(([, text]) => text.length <= MAX_IN_MESSAGE && !text.includes('\n'))
    .map(([key, text]) => `  ${key}=${text}`);
  return Buffer.concat([
    field('MESSAGE', message + shown.join('')),
    field('PRIORITY', String(PRIORITY[level])),
    field('SYSLOG_IDENTIFIER', 'berth'),
    ...values.map(([key, text]) => field(nameOf(key), text)),
  ]);
}

function nameOf(key: string): string {
  const words = key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
  return NAMES.get(key) ?? `BERTH_${words.replaceAll(/[^A-Z0-9_]/g, '_')}`.slice(0, MAX_NAME);
}

/** As JSON would show it, without quotes around a text; undefined where JSON has nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A value with a line break goes with its length in front. */
function field(name: string, value: string): Buffer {
  if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')]);
}
