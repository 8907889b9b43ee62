import { redacted } from './proto/codec.js';

const SECRET = new Set(redacted);

/**
 * A message as a log may show it: fields that the proto marks `debug_redact` are gone, bytes (environment values,
 * output) are only counted, 64-bit numbers are text. Empty fields are left out.
 */
export function forLog(message: unknown): unknown {
  if (typeof message === 'bigint') return String(message);
  if (message instanceof Uint8Array) return `${message.length} bytes`;
  if (Array.isArray(message)) return message.map(forLog);
  if (message === null || typeof message !== 'object') return message;
  return Object.fromEntries(
    Object.entries(message).flatMap(([key, value]: [string, unknown]) => {
      if (isEmpty(value)) return [];
      return [[key, SECRET.has(key) && typeof value === 'string' ? '[redacted]' : forLog(value)]];
    }),
  );
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === 0n) return true;
  if (value === false) return true;
  if (typeof value !== 'object') return false;
  return value instanceof Uint8Array ? value.length === 0 : Object.keys(value).length === 0;
}
