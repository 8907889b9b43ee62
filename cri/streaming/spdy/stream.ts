import { Duplex } from 'node:stream';
import type { PipeBytes } from '../../../pod/streams.ts';
import type { MovingWritable } from '../pump.ts';
import { StreamReset } from './error.ts';
import { Reset } from './frames.ts';
import type { Headers } from './header-block.ts';

/** Above this the connection is not read on. A client that knows no windows is held back by TCP alone. */
export const MAX_UNREAD_BYTES = 256 * 1024;
/** So many parts of a few bytes cost more than the bytes in them. */
const MAX_UNREAD_PARTS = 4096;

/** What a stream needs of its connection. */
export interface StreamOwner {
  send(stream: SpdyStream, bytes: Buffer, done: (error?: Error | null) => void): void;
  /** The same with bytes that stand in a pipe; how many were sent. */
  move(stream: SpdyStream, pipe: PipeBytes, done: () => void): number;
  sendFin(stream: SpdyStream): void;
  sendReset(id: number, status: number): void;
  /** The reader of the stream took bytes. */
  consumed(stream: SpdyStream, bytes: number): void;
  forget(stream: SpdyStream): void;
}

/**
 * One stream of a SPDY connection. `end()` closes the direction to the client, `destroy()` resets what is still open.
 * A stream whose bytes nobody takes holds the connection: `resume()` what is not wanted.
 *
 *     open ──FIN came──► half closed (remote) ──FIN sent──► closed
 *      └────FIN sent───► half closed (local) ──FIN came────► closed
 *     RST_STREAM from either side, or the end of the connection: closed at once
 */
export class SpdyStream extends Duplex implements MovingWritable {
  readonly id: number;
  readonly headers: Headers;
  /** Bytes that may be sent before the client's next WINDOW_UPDATE. Below zero when it knows no windows. */
  sendWindow: number;
  /** Goes on with a write that waits for the window. */
  blocked: (() => void) | undefined;
  /** Bytes that were taken since the last WINDOW_UPDATE. */
  unreported = 0;
  readonly #owner: StreamOwner;
  #finReceived = false;
  #finSent: boolean;
  #resetReceived = false;
  #arrived = 0;
  #taken = 0;
  #parts = 0;

  constructor(
    owner: StreamOwner,
    id: number,
    headers: Headers,
    options: { sendWindow: number; oneWay: boolean },
  ) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 });
    this.#owner = owner;
    this.id = id;
    this.headers = headers;
    this.sendWindow = options.sendWindow;
    this.#finSent = options.oneWay;
    if (options.oneWay) this.end();
    // Whoever waits for the stream is told by its own listener; nobody has to.
    this.on('error', () => {});
  }

  /** Whether its reader is so far behind that the connection has to wait. */
  get full(): boolean {
    return this.readableLength > MAX_UNREAD_BYTES || this.#parts > MAX_UNREAD_PARTS;
  }

  /** The client has closed its direction. */
  get finReceived(): boolean {
    return this.#finReceived;
  }

  /** Takes a part of a data frame from the client. */
  deliver(part: Buffer): void {
    this.#arrived += part.length;
    this.#parts++;
    // A few bytes would hold the whole buffer in which they came.
    this.push(part.length < 1024 ? Buffer.from(part) : part);
    this.#account();
  }

  /** The client will send no more. */
  takeFin(): void {
    if (this.#finReceived) return;
    this.#finReceived = true;
    this.push(null);
  }

  /** The client ended the stream. */
  takeReset(why: string): void {
    this.#resetReceived = true;
    this.destroy(new StreamReset(why));
  }

  override read(size?: number): Buffer | null {
    const bytes = super.read(size) as Buffer | null;
    this.#account();
    return bytes;
  }

  override _read(): void {
    // The connection pushes; windows and its pause hold it back.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#owner.send(this, chunk, done);
  }

  /** Sends what stands in a pipe, as far as nothing waits before it: see `MovingWritable`. */
  moveFrom(pipe: PipeBytes, done: () => void): number {
    if (!this.writable || this.writableLength > 0) return 0;
    return this.#owner.move(this, pipe, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#finSent) {
      this.#finSent = true;
      this.#owner.sendFin(this);
    }
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#resetReceived && !(this.#finReceived && this.#finSent))
      this.#owner.sendReset(this.id, error === null ? Reset.CANCEL : Reset.INTERNAL_ERROR);
    this.blocked = undefined;
    this.#taken = this.#reported(this.#arrived);
    this.#owner.forget(this);
    done(error);
  }

  /** What has arrived and lies in no buffer any more was taken by the reader. */
  #account(): void {
    if (this.readableLength === 0) this.#parts = 0;
    this.#taken = this.#reported(this.#arrived - this.readableLength);
  }

  #reported(taken: number): number {
    if (taken !== this.#taken) this.#owner.consumed(this, taken - this.#taken);
    return taken;
  }
}
