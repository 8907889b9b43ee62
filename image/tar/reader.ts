import { isUtf8 } from 'node:buffer';
import { Fault } from '../../ground/fault.ts';
import { BLOCK, FIELD, TYPE_FLAG, padding, type EntryType, type TarEntry } from './format.ts';
import { PaxRecords } from './pax.ts';

/** Receives an archive piece by piece, in order: `begin`, then `content` for regular files, then `end`. */
export interface TarSink {
  begin(entry: TarEntry): void;
  content(bytes: Buffer): void;
  end(): void;
  /**
   * All of the stream that is no file's content, in order: headers, extended headers, padding, and what follows the
   * end of the archive. A header comes before its `begin`. The bytes belong to the reader.
   */
  structure?(bytes: Buffer): void;
}

/** Bound on pax records and long names, which are held in memory. */
const MAX_METADATA = 1024 * 1024;
const NUL = 0;
const TYPES = new Map<string, EntryType>(
  Object.entries(TYPE_FLAG).map(([type, flag]) => [flag, type as EntryType]),
);
TYPES.set('\0', 'file').set('7', 'file');

type State =
  | { at: 'header' }
  | { at: 'content'; left: number; padding: number }
  | { at: 'metadata'; flag: string; left: number; padding: number; parts: Buffer[] }
  | { at: 'over' };

/**
 * Reads a tar stream: ustar, old tar, pax (with global headers), GNU long names and base-256 numbers.
 *
 *     header ──> content ──> header        regular files and what has a size
 *       │  └───> metadata ─> header        pax records, GNU long names: they shape the next entry
 *       └──────> over                      an empty block; what follows is ignored
 *
 * Sparse files, multi-volume archives and unknown types are refused. All faults are `invalid`.
 * Names are text when they are UTF-8, else one character a byte: `nameBytes` gives the bytes back.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #elsewhere: (entry: TarEntry) => boolean;
  #state: State = { at: 'header' };
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;
  readonly #pax = new PaxRecords();
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;

  /** `elsewhere` says of which files the stream does not hold the content. */
  constructor(sink: TarSink, elsewhere: (entry: TarEntry) => boolean = () => false) {
    this.#sink = sink;
    this.#elsewhere = elsewhere;
  }

  /** Bytes of the stream that are behind us. In `begin` it is where the entry's content starts. */
  get position(): number {
    return this.#position;
  }

  /** Bytes of content and padding that come next and concern nobody who only looks at headers. See `skip`. */
  get skippable(): number {
    return this.#state.at === 'content' ? this.#state.left + this.#state.padding : 0;
  }

  /** Ends the entry at hand without its content: the next push starts `skippable` bytes further. */
  skip(): void {
    if (this.#state.at !== 'content') return;
    this.#position += this.skippable;
    this.#sink.end();
    this.#state = { at: 'header' };
  }

  push(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#state.at !== 'over') {
      if (this.#state.at === 'header') {
        if (bytes.length < BLOCK) break;
        this.#position += BLOCK;
        const block = bytes.subarray(0, BLOCK);
        this.#sink.structure?.(block);
        this.#header(block);
        bytes = bytes.subarray(BLOCK);
        continue;
      }
      if (bytes.length === 0 && this.#state.left + this.#state.padding > 0) break;
      bytes = this.#body(this.#state, bytes);
    }
    if (this.#state.at === 'over' && bytes.length > 0) this.#sink.structure?.(bytes);
    // A copy: the chunk belongs to the caller, who may use it again.
    this.#rest = this.#state.at === 'header' ? Buffer.from(bytes) : Buffer.alloc(0);
  }

  /** To be called when the stream is over. Throws when it ended inside an entry. */
  finish(): void {
    const inside = this.#state.at === 'content' || this.#state.at === 'metadata' || this.#rest.length > 0;
    if (inside) throw new Fault('invalid', 'The archive ends in the middle of an entry');
  }

  #body(state: Exclude<State, { at: 'header' | 'over' }>, bytes: Buffer): Buffer {
    const take = Math.min(state.left, bytes.length);
    if (take > 0) {
      const part = bytes.subarray(0, take);
      if (state.at === 'metadata') {
        state.parts.push(Buffer.from(part));
        this.#sink.structure?.(part);
      } else this.#sink.content(part);
      state.left -= take;
    }
    const pad = state.left > 0 ? 0 : Math.min(state.padding, bytes.length - take);
    if (pad > 0) this.#sink.structure?.(bytes.subarray(take, take + pad));
    state.padding -= pad;
    this.#position += take + pad;
    if (state.left === 0 && state.padding === 0) {
      this.#state = { at: 'header' };
      if (state.at === 'metadata') this.#metadata(state.flag, Buffer.concat(state.parts));
      else this.#sink.end();
    }
    return bytes.subarray(take + pad);
  }

  #header(block: Buffer): void {
    if (block[0] === NUL && block.every((byte) => byte === NUL)) {
      this.#state = { at: 'over' };
      return;
    }
    checkSum(block);
    const flag = String.fromCharCode(block[FIELD.type[0]]!);
    if ('xgXLK'.includes(flag)) {
      const size = numberIn(block, FIELD.size);
      if (size > MAX_METADATA) throw new Fault('invalid', `The archive has a header of ${size} bytes`);
      this.#state = { at: 'metadata', flag, left: size, padding: padding(size), parts: [] };
      if (size === 0) this.#body(this.#state, Buffer.alloc(0));
      return;
    }
    this.#entry(block, flag);
  }

  #entry(block: Buffer, flag: string): void {
    const ustar = block.toString('latin1', FIELD.magic[0], FIELD.magic[0] + 6) === 'ustar\0';
    const prefix = ustar ? bytesIn(block, FIELD.prefix) : Buffer.alloc(0);
    const ownName = bytesIn(block, FIELD.name);
    const short = prefix.length === 0 ? ownName : Buffer.concat([prefix, Buffer.from('/'), ownName]);
    const raw = this.#pax.bytes('path') ?? this.#longName ?? short;
    const path = nameText(raw);
    const type = TYPES.get(flag);
    if (type === undefined || this.#pax.sparse) throw refusedType(flag, this.#pax.sparse, path);

    const size = this.#pax.integer('size') ?? numberIn(block, FIELD.size);
    if (size < 0) throw new Fault('invalid', `The entry ${quote(path)} has a negative size`);
    const entry: TarEntry = {
      path,
      // An old tar knows directories only by the slash at their end.
      type: type === 'file' && raw.at(-1) === 0x2f ? 'directory' : type,
      mode: numberIn(block, FIELD.mode) & 0o7777,
      uid: this.#pax.integer('uid') ?? numberIn(block, FIELD.uid),
      gid: this.#pax.integer('gid') ?? numberIn(block, FIELD.gid),
      size: type === 'file' ? size : 0,
      mtimeNs: this.#pax.nanoseconds('mtime') ?? BigInt(numberIn(block, FIELD.mtime)) * 1_000_000_000n,
      link: nameText(this.#pax.bytes('linkpath') ?? this.#longLink ?? bytesIn(block, FIELD.link)),
      major: type === 'char' || type === 'block' ? numberIn(block, FIELD.major) : 0,
      minor: type === 'char' || type === 'block' ? numberIn(block, FIELD.minor) : 0,
      xattrs: this.#pax.xattrs(),
    };
    this.#pax.entryOver();
    this.#longName = this.#longLink = undefined;
    this.#sink.begin(entry);
    // Only regular files have content; some writers give a hard link the size of its target.
    const left = this.#elsewhere(entry) ? 0 : entry.size;
    this.#state = { at: 'content', left, padding: padding(entry.size) };
    if (entry.size === 0) this.#body(this.#state, Buffer.alloc(0));
  }

  #metadata(flag: string, bytes: Buffer): void {
    const untilNul = bytes.subarray(0, bytes.indexOf(NUL) < 0 ? bytes.length : bytes.indexOf(NUL));
    if (flag === 'L') this.#longName = untilNul;
    else if (flag === 'K') this.#longLink = untilNul;
    else this.#pax.add(bytes, flag === 'g');
  }
}

/** A path from an archive as text; a component that is no UTF-8 becomes a mark and one character a byte. */
export function nameText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const parts = bytes.toString('latin1').split('/');
  return parts.map((part) => textOrRaw(Buffer.from(part, 'latin1'))).join('/');
}

/** What the kernel is to get for a path: text, or bytes when a component was no UTF-8. `head` stands before it. */
export function nameBytes(head: string, path: string): string | Buffer {
  if (!path.includes(RAW)) return head + path;
  const parts = path.split('/').map((part, i) => {
    const slash = Buffer.from(i === 0 ? '' : '/');
    const own = part.startsWith(RAW) ? Buffer.from(part.slice(RAW.length), 'latin1') : Buffer.from(part);
    return Buffer.concat([slash, own]);
  });
  return Buffer.concat([Buffer.from(head), ...parts]);
}

function textOrRaw(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : RAW + bytes.toString('latin1');
}

/** A character that valid UTF-8 cannot bring about: half of a surrogate pair. */
const RAW = '\udcff';

function checkSum(block: Buffer): void {
  const stored = numberIn(block, FIELD.checksum);
  const [from, length] = FIELD.checksum;
  let sum = 32 * length;
  let signed = sum;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= from && i < from + length) continue;
    const byte = block[i]!;
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  // Old writers summed signed characters.
  if (stored !== sum && stored !== signed)
    throw new Fault('invalid', 'The archive is no tar: a header does not add up');
}

/** An octal number, or base-256 when the first bit is set (GNU tar manual, "Extensions to the standard format"). */
function numberIn(block: Buffer, [offset, length]: readonly [number, number]): number {
  const first = block[offset]!;
  if ((first & 0x80) !== 0) {
    const negative = (first & 0x40) !== 0;
    let value = BigInt(first & (negative ? 0x7f : 0x3f));
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[offset + i]!);
    if (negative) value -= 1n << BigInt(8 * length - 1);
    if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER) {
      throw new Fault('invalid', 'The archive has a number that is too large');
    }
    return Number(value);
  }
  const text = block.toString('latin1', offset, offset + length).replace(/^[ \0]+|[ \0].*$/gs, '');
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw new Fault('invalid', 'The archive is no tar: a header has a bad number');
  return Number.parseInt(text, 8);
}

function bytesIn(block: Buffer, [offset, length]: readonly [number, number]): Buffer {
  const end = block.indexOf(NUL, offset);
  return block.subarray(offset, end < 0 || end > offset + length ? offset + length : end);
}

function refusedType(flag: string, sparse: boolean, path: string): Fault {
  if (sparse || flag === 'S') return new Fault('invalid', `The entry ${quote(path)} is a sparse file`);
  return new Fault('invalid', `The entry ${quote(path)} has the unknown type ${JSON.stringify(flag)}`);
}

function quote(path: string): string {
  return JSON.stringify(path.slice(0, 300));
}
