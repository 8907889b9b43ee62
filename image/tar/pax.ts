import { Fault } from '../../ground/fault.ts';

const EQUALS = 0x3d;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const XATTR = 'SCHILY.xattr.';
/** Enough for every attribute and long name of an entry, however many headers bring them; more is an attack on memory. */
const MAX_BYTES = 1024 * 1024;
/** Global records count for each entry. */
const MAX_GLOBAL_RECORDS = 256;

/**
 * The extended header records in force (POSIX.1-2001, "pax Extended Header"): those of the next entry, above those
 * of the archive. An empty value takes an archive-wide record back.
 */
export class PaxRecords {
  readonly #global = new Map<string, Buffer>();
  readonly #entry = new Map<string, Buffer>();
  #globalBytes = 0;
  #entryBytes = 0;

  /** Reads `length key=value\n` records. Throws Fault('invalid'). */
  add(bytes: Buffer, global: boolean): void {
    const records = global ? this.#global : this.#entry;
    const total = global ? (this.#globalBytes += bytes.length) : (this.#entryBytes += bytes.length);
    if (total > MAX_BYTES)
      throw new Fault(
        'invalid',
        `The archive has more than ${MAX_BYTES} bytes of extended headers in one place`,
      );
    for (let at = 0; at < bytes.length;) {
      const space = bytes.indexOf(SPACE, at);
      const digits = space < 0 || space - at > 10 ? '' : bytes.toString('latin1', at, space);
      const end = at + Number(digits);
      const equals = bytes.indexOf(EQUALS, space);
      const sound = /^\d+$/.test(digits) && end <= bytes.length && equals > space + 1 && equals < end;
      if (!sound || bytes[end - 1] !== NEWLINE) {
        throw new Fault('invalid', 'The archive has an extended header that cannot be read');
      }
      records.set(
        bytes.toString('utf8', space + 1, equals),
        Buffer.from(bytes.subarray(equals + 1, end - 1)),
      );
      at = end;
    }
    if (this.#global.size > MAX_GLOBAL_RECORDS)
      throw new Fault('invalid', 'The archive has too many global headers');
  }

  /** Forgets the records of the entry that was just read. */
  entryOver(): void {
    if (this.#entry.size > 0) this.#entry.clear();
    this.#entryBytes = 0;
  }

  /** GNU.sparse.*: the entry's content is a map of holes (GNU tar manual, "Storing Sparse Files"). */
  get sparse(): boolean {
    return [...this.#entry.keys(), ...this.#global.keys()].some((key) => key.startsWith('GNU.sparse.'));
  }

  bytes(key: string): Buffer | undefined {
    const value = this.#entry.get(key) ?? this.#global.get(key);
    return value === undefined || value.length === 0 ? undefined : value;
  }

  /** Throws Fault('invalid') when the value is no integer that can be counted with. */
  integer(key: string): number | undefined {
    const text = this.bytes(key)?.toString('latin1');
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new Fault('invalid', `The archive has ${JSON.stringify(text.slice(0, 100))} for ${key}`);
  }

  /** Seconds with a fraction, as nanoseconds since the epoch; finer digits are cut off. */
  nanoseconds(key: string): bigint | undefined {
    const text = this.bytes(key)?.toString('latin1');
    if (text === undefined) return undefined;
    const match = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(text);
    if (match === null)
      throw new Fault('invalid', `The archive has ${JSON.stringify(text.slice(0, 100))} for ${key}`);
    const fraction = (match[3] ?? '').slice(0, 9).padEnd(9, '0');
    const value = BigInt(match[2]!) * 1_000_000_000n + BigInt(fraction);
    return match[1] === '-' ? -value : value;
  }

  xattrs(): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    for (const records of [this.#global, this.#entry]) {
      for (const [key, value] of records)
        if (key.startsWith(XATTR)) found.set(key.slice(XATTR.length), value);
    }
    return found;
  }
}
