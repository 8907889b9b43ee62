import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { DICTIONARY } from './dictionary.ts';
import { SpdyError } from './error.ts';

/** A header block of a few names: a client of Kubernetes sends three. */
const MAX_BLOCK_BYTES = 16 * 1024;
const MAX_PAIRS = 64;
/** How far back deflate refers (RFC 1951). */
const WINDOW_BYTES = 32 * 1024;
/** Before the first block of a direction: deflate, a preset dictionary, its Adler-32 (RFC 1950). */
const PREFACE = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);

/** Names in lower case. Several values of one name are joined with NUL, as on the wire. */
export type Headers = Record<string, string>;

/**
 * Reads the header blocks of one connection, in their order (draft-mbelshe-httpbis-spdy-00, 2.6.10).
 *
 * The blocks of a connection are one zlib stream, flushed to a byte's edge behind each. Each is inflated for itself,
 * with what the last ones gave as its history: in one synchronous step, for the frames behind it would have to wait,
 * and with a bound of its own.
 */
export class HeaderReader {
  /** The end of all that was read, the dictionary before it. */
  #history: Buffer = DICTIONARY;
  #begun = false;

  /** Throws SpdyError for a block that is damaged or too large: the connection cannot go on behind it. */
  read(block: Uint8Array): Headers {
    const plain = this.#inflate(this.#begun ? block : withoutPreface(block));
    this.#begun = true;
    this.#history = Buffer.concat([this.#history, plain]).subarray(-WINDOW_BYTES);
    return parsePairs(plain);
  }

  #inflate(deflated: Uint8Array): Buffer {
    try {
      return inflateRawSync(deflated, {
        dictionary: this.#history,
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: MAX_BLOCK_BYTES,
      });
    } catch (cause) {
      throw new SpdyError('A header block cannot be decompressed', { cause });
    }
  }
}

/** Writes the header blocks of one connection, in their order. They refer to nothing before them. */
export class HeaderWriter {
  #begun = false;

  /** The compressed block. */
  write(headers: Headers): Buffer {
    const texts = Object.entries(headers).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
    const plain = Buffer.alloc(4 + texts.reduce((sum, { length }) => sum + 4 + length, 0));
    let at = plain.writeUInt32BE(texts.length / 2);
    for (const text of texts) {
      at = plain.writeUInt32BE(text.length, at);
      at += text.copy(plain, at);
    }
    const deflated = deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH });
    if (this.#begun) return deflated;
    this.#begun = true;
    return Buffer.concat([PREFACE, deflated]);
  }
}

/** RFC 1950: two bytes that are a multiple of 31, and with the dictionary's bit its checksum. */
function withoutPreface(block: Uint8Array): Uint8Array {
  const [method = 0, flags = 0] = block;
  const sound = (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0;
  if (!sound) throw new SpdyError('The first header block does not begin as one');
  if ((flags & 0x20) === 0) return block.subarray(2);
  if (!PREFACE.subarray(2).equals(block.subarray(2, 6))) throw new SpdyError('Another dictionary');
  return block.subarray(6);
}

function parsePairs(plain: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    if (at + 4 > plain.length) throw new SpdyError('A header block ends too early');
    at += 4;
    return plain.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > plain.length) throw new SpdyError('A header block ends too early');
    at += length;
    return plain.toString('utf8', at - length, at);
  };
  const pairs = number();
  if (pairs > MAX_PAIRS) throw new SpdyError(`A header block has ${pairs} headers`);
  const headers: Headers = Object.create(null) as Headers;
  for (let left = pairs; left > 0; left--) {
    const name = text();
    // Section 2.6.10: an empty name, an upper case one or one that comes twice is an error of the stream. No client
    // makes one, so that the simpler answer will do.
    if (name === '' || name !== name.toLowerCase() || name in headers)
      throw new SpdyError('A header block has an empty, doubled or capital name');
    headers[name] = text();
  }
  return headers;
}
