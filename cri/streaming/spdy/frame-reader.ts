import { SpdyError } from './error.ts';

/** A control frame holds a compressed header block at most. */
export const MAX_CONTROL_BYTES = 16 * 1024;
const HEAD = 8;
const NOTHING = Buffer.alloc(0);

/** What a FrameReader finds. Payloads are parts of what was given to it. */
export interface FrameSink {
  control(type: number, flags: number, payload: Buffer): void;
  /** A part of a data frame, as soon as it is there; `last` with the frame's last part, which may be empty. */
  data(stream: number, part: Buffer, flags: number, last: boolean): void;
}

/**
 * Cuts bytes into frames. Data passes through as it comes, however large its frame is; a control frame is put
 * together first, and is bounded.
 *
 *     head ──► control ──► head            8 bytes, then the rest of the frame at once
 *       └────► data ──► (data …) ──► head  8 bytes, then what there is
 */
export class FrameReader {
  readonly #sink: FrameSink;
  /** An unfinished head or control frame. */
  #kept: Buffer = NOTHING;
  #stream = 0;
  #flags = 0;
  /** Bytes of a data frame that have not come. */
  #dataLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes of the connection. Throws SpdyError when they are no SPDY/3. */
  read(chunk: Buffer): void {
    let rest = chunk;
    if (this.#kept.length > 0) {
      rest = Buffer.concat([this.#kept, chunk]);
      this.#kept = NOTHING;
    }
    while (rest.length > 0) {
      const used = this.#dataLeft > 0 ? this.#readData(rest) : this.#readFrame(rest);
      if (used === 0) {
        // A copy: else some bytes of a frame would hold 64 KiB of the network's buffer.
        this.#kept = Buffer.from(rest);
        return;
      }
      rest = rest.subarray(used);
    }
  }

  #readData(bytes: Buffer): number {
    const part = bytes.length > this.#dataLeft ? bytes.subarray(0, this.#dataLeft) : bytes;
    this.#dataLeft -= part.length;
    this.#sink.data(this.#stream, part, this.#flags, this.#dataLeft === 0);
    return part.length;
  }

  /** Bytes that were used; 0 when more are needed. */
  #readFrame(bytes: Buffer): number {
    if (bytes.length < HEAD) return 0;
    const word = bytes.readUInt32BE(0);
    const length = bytes.readUInt32BE(4) & 0xff_ffff;
    const flags = bytes[4]!;
    if (word < 0x8000_0000) {
      this.#stream = word;
      this.#flags = flags;
      this.#dataLeft = length;
      if (length === 0) this.#sink.data(word, NOTHING, flags, true);
      return HEAD;
    }
    if (word >>> 16 !== 0x8003) throw new SpdyError(`A frame says SPDY version ${(word >>> 16) & 0x7fff}`);
    if (length > MAX_CONTROL_BYTES) throw new SpdyError(`A control frame of ${length} bytes`);
    if (bytes.length < HEAD + length) return 0;
    this.#sink.control(word & 0xffff, flags, bytes.subarray(HEAD, HEAD + length));
    return HEAD + length;
  }
}
