import { BLOCK, FIELD, TYPE_FLAG, padding, type EntryType } from './format.ts';

/** An entry to be written. What is left out is 0, empty, or the usual mode of its type. */
export interface NewEntry {
  path: string;
  type?: EntryType;
  mode?: number;
  uid?: number;
  gid?: number;
  mtimeNs?: bigint;
  link?: string;
  major?: number;
  minor?: number;
  xattrs?: Record<string, Uint8Array>;
  content?: Uint8Array | string;
}

const USUAL_MODE: Partial<Record<EntryType, number>> = { directory: 0o755, symlink: 0o777 };
const NANOSECONDS = 1_000_000_000n;

/** One entry with its content, padded to whole blocks; pax records (POSIX.1-2001) carry what ustar cannot. */
export function tarEntry(entry: NewEntry): Buffer {
  const content = entry.content === undefined ? Buffer.alloc(0) : Buffer.from(entry.content);
  const pax = paxRecords(entry, content.length);
  const parts: Buffer[] = [];
  if (pax.length > 0) {
    const body = Buffer.concat(pax.map(([key, value]) => paxRecord(key, value)));
    parts.push(header({ path: 'PaxHeaders/entry', mode: 0o644 }, 'x', body.length), pad(body));
  }
  parts.push(header(entry, TYPE_FLAG[entry.type ?? 'file'], content.length), pad(content));
  return Buffer.concat(parts);
}

/** A whole archive: the entries and the two empty blocks that end it. */
export function tarArchive(entries: Iterable<NewEntry>): Buffer {
  return Buffer.concat([...Array.from(entries, tarEntry), Buffer.alloc(2 * BLOCK)]);
}

/** `length key=value\n`, where length counts itself (POSIX.1-2001, pax Extended Header). */
export function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let digits = 1;
  while (String(rest.length + digits).length > digits) digits++;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

/** The header block of an entry whose `size` bytes of content are written by somebody else. Only short names. */
export function tarHeader(entry: NewEntry, size: number): Buffer {
  if (size > 0o77777777777) return largeHeader(entry, size);
  return header(entry, TYPE_FLAG[entry.type ?? 'file'], size);
}

/** Sizes of 8 GiB and more stand in base 256 (GNU tar manual, "Extensions to the standard format"). */
function largeHeader(entry: NewEntry, size: number): Buffer {
  const block = header(entry, TYPE_FLAG[entry.type ?? 'file'], 0);
  const [offset, length] = FIELD.size;
  block.fill(0, offset, offset + length);
  block[offset] = 0x80;
  block.writeBigUInt64BE(BigInt(size), offset + length - 8);
  return summed(block);
}

function paxRecords(entry: NewEntry, size: number): [string, Uint8Array][] {
  const records: [string, Uint8Array][] = [];
  const text = (key: string, value: string): void => void records.push([key, Buffer.from(value)]);
  if (Buffer.byteLength(entry.path) > FIELD.name[1]) text('path', entry.path);
  if (Buffer.byteLength(entry.link ?? '') > FIELD.link[1]) text('linkpath', entry.link!);
  if ((entry.uid ?? 0) > 0o7777777) text('uid', String(entry.uid));
  if ((entry.gid ?? 0) > 0o7777777) text('gid', String(entry.gid));
  if (size > 0o77777777777) text('size', String(size));
  const mtime = entry.mtimeNs ?? 0n;
  const plain = mtime >= 0n && mtime % NANOSECONDS === 0n && mtime / NANOSECONDS <= 0o77777777777n;
  if (!plain) text('mtime', decimalSeconds(mtime));
  for (const [name, value] of Object.entries(entry.xattrs ?? {}))
    records.push([`SCHILY.xattr.${name}`, value]);
  return records;
}

function decimalSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : ''}${size / NANOSECONDS}.${String(size % NANOSECONDS).padStart(9, '0')}`;
}

function header(entry: NewEntry, flag: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = ([offset, length]: readonly [number, number], value: string): void => {
    block.write(value, offset, length, 'utf8');
  };
  const octal = (field: readonly [number, number], value: number): void => {
    const digits = field[1] - 1;
    put(
      field,
      Math.min(value, 8 ** digits - 1)
        .toString(8)
        .padStart(digits, '0'),
    );
  };
  const seconds = (entry.mtimeNs ?? 0n) / NANOSECONDS;
  put(FIELD.name, entry.path);
  octal(FIELD.mode, entry.mode ?? USUAL_MODE[entry.type ?? 'file'] ?? 0o644);
  octal(FIELD.uid, entry.uid ?? 0);
  octal(FIELD.gid, entry.gid ?? 0);
  octal(FIELD.size, size);
  octal(FIELD.mtime, seconds < 0n ? 0 : Number(seconds));
  put(FIELD.type, flag);
  put(FIELD.link, entry.link ?? '');
  put(FIELD.magic, 'ustar\x0000');
  octal(FIELD.major, entry.major ?? 0);
  octal(FIELD.minor, entry.minor ?? 0);
  return summed(block);
}

function summed(block: Buffer): Buffer {
  const [offset, length] = FIELD.checksum;
  block.fill(' ', offset, offset + length);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, offset);
  return block;
}

function pad(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(padding(content.length))]);
}
