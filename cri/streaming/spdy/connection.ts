import type { Duplex } from 'node:stream';
import type { PipeBytes } from '../../../pod/streams.ts';
import type { CountStreams } from '../counts.ts';
import { SpdyError, StreamReset } from './error.ts';
import { FrameReader } from './frame-reader.ts';
import {
  controlFrame,
  dataHead,
  DEFAULT_WINDOW,
  FLAG_FIN,
  Goaway,
  INITIAL_WINDOW_SIZE,
  MAX_WINDOW,
  Reset,
  Type,
} from './frames.ts';
import { HeaderReader, HeaderWriter } from './header-block.ts';
import { writeAll } from '../write-all.ts';
import { MAX_UNREAD_BYTES, SpdyStream, type StreamOwner } from './stream.ts';

const FLAG_ONE_WAY = 2;
/** Of one frame to the client, which may hold it whole. */
const MAX_DATA_BYTES = 512 * 1024;
/** Answers that a client makes us send and does not read. */
const MAX_UNREAD_ANSWERS = 256 * 1024;
/** While we do not read we do not see the client leave, but for what it answers to our bytes. */
const PROBE_MS = 5_000;
/** For a client that does not close after us. */
const CLOSE_MS = 60_000;
/** For a client that broke the protocol to read that it did. */
const REFUSAL_MS = 2_000;
const SESSION_WINDOW = 1024 * 1024;

export interface SpdyConnectionOptions {
  /** Streams at once; more are refused. */
  maxStreams: number;
  /** Without a byte from or to the client for so long the connection ends. */
  idleMs: number;
  /** Is told of streams that open and end. */
  count?: CountStreams;
  /** A stream of the client. False refuses it. */
  onStream(stream: SpdyStream): boolean;
}

/**
 * The server's side of a SPDY/3.1 connection, over a socket or a tunnel.
 *
 * Windows: a client that keeps them says so with SETTINGS or WINDOW_UPDATE, and from then on its windows hold for what
 * is sent to it. The client library of Kubernetes does neither, ever; before the first sign nothing but TCP holds us
 * back, else its streams would stand still after 64 KiB. What a client sends is bounded for both kinds: above a bound
 * of unread bytes the connection is not read on.
 */
export class SpdyConnection implements StreamOwner {
  /** Aborts when the connection is over: the client left, broke the protocol, or was idle. */
  readonly closed: AbortSignal;
  readonly #abort = new AbortController();
  readonly #transport: Duplex;
  readonly #options: SpdyConnectionOptions;
  readonly #reader: FrameReader;
  readonly #headersIn = new HeaderReader();
  readonly #headersOut = new HeaderWriter();
  readonly #streams = new Map<number, SpdyStream>();
  /** Streams whose readers are behind: the connection waits for them. */
  readonly #full = new Set<SpdyStream>();
  readonly #idle: NodeJS.Timeout;
  #probe: NodeJS.Timeout | undefined;
  #nextPing = 2;
  #lastStream = 0;
  #unreadAnswers = 0;
  #windows = false;
  #initialSendWindow = DEFAULT_WINDOW;
  #sendWindow = DEFAULT_WINDOW;
  #unreported = 0;
  #goingAway = false;

  constructor(transport: Duplex, options: SpdyConnectionOptions) {
    this.closed = this.#abort.signal;
    this.#transport = transport;
    this.#options = options;
    this.#reader = new FrameReader({
      control: (type, flags, payload) => this.#control(type, flags, payload),
      data: (id, part, flags, last) => this.#data(id, part, flags, last),
    });
    this.#idle = setTimeout(() => this.destroy(new SpdyError('The connection was idle')), options.idleMs);
    this.#idle.unref();
    transport.on('data', (chunk: Buffer) => this.#read(chunk));
    transport.on('drain', () => (this.#unreadAnswers = 0));
    transport.on('end', () => this.destroy());
    transport.on('error', (error: Error) => this.destroy(error));
    transport.on('close', () => this.destroy());
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Takes bytes that came with the upgrade. */
  take(head: Buffer): void {
    if (head.length > 0) this.#read(head);
  }

  /**
   * Lets the client leave first: the client library of Kubernetes throws away what it has not handed on when it sees
   * the end of the connection. After `lingerMs` the connection is closed from here. Resolves when it is over.
   */
  async finish(lingerMs: number): Promise<void> {
    if (this.closed.aborted) return;
    const late = setTimeout(() => this.close(), lingerMs);
    late.unref();
    await new Promise<void>((resolve) =>
      this.closed.addEventListener('abort', () => resolve(), { once: true }),
    );
    clearTimeout(late);
  }

  /** Says GOAWAY and closes when all is sent. */
  close(): void {
    if (this.closed.aborted) return;
    this.#goAway(Goaway.OK);
    this.#transport.end();
    this.#destroyAfter(CLOSE_MS);
  }

  /** Ends the connection now; its streams end with an error. Idempotent. */
  destroy(error?: Error): void {
    if (this.closed.aborted) return;
    if (error instanceof SpdyError) this.#goAway(Goaway.PROTOCOL_ERROR);
    this.#abort.abort(error ?? new StreamReset('The client left'));
    clearTimeout(this.#idle);
    clearInterval(this.#probe);
    for (const stream of this.#streams.values()) stream.takeReset('The connection is gone');
    if (error instanceof SpdyError) {
      this.#transport.end(() => this.#transport.destroy());
      this.#destroyAfter(REFUSAL_MS);
    } else this.#transport.destroy();
  }

  send(stream: SpdyStream, bytes: Buffer, done: (error?: Error | null) => void): void {
    if (this.closed.aborted) return done(new StreamReset('The connection is gone'));
    if (stream.destroyed) return done();
    const length = Math.min(bytes.length, this.#room(stream));
    if (length <= 0 && bytes.length > 0) {
      stream.blocked = () => this.send(stream, bytes, done);
      return;
    }
    this.#sendWindow -= length;
    stream.sendWindow -= length;
    const part = length === bytes.length ? bytes : bytes.subarray(0, length);
    this.#idle.refresh();
    const next = length === bytes.length ? done : () => this.send(stream, bytes.subarray(length), done);
    writeAll(this.#transport, [dataHead(stream.id, 0, length), part], () => next());
  }

  move(stream: SpdyStream, pipe: PipeBytes, done: () => void): number {
    const length = Math.min(pipe.length, this.#room(stream));
    if (this.closed.aborted || length <= 0) return 0;
    // A window may hold up what comes behind.
    const more = !this.#windows && pipe.length >= 2 * length;
    if (!pipe.sendTo(this.#transport, dataHead(stream.id, 0, length), length, done, more)) return 0;
    this.#sendWindow -= length;
    stream.sendWindow -= length;
    this.#idle.refresh();
    return length;
  }

  /** Bytes that the next data frame of a stream may have; none or less when its client has to make room first. */
  #room(stream: SpdyStream): number {
    if (!this.#windows) return MAX_DATA_BYTES;
    return Math.min(this.#sendWindow, stream.sendWindow, MAX_DATA_BYTES);
  }

  sendFin(stream: SpdyStream): void {
    this.#answer(dataHead(stream.id, FLAG_FIN, 0));
  }

  sendReset(id: number, status: number): void {
    this.#answer(controlFrame(Type.RST_STREAM, 0, id, status));
  }

  consumed(stream: SpdyStream, bytes: number): void {
    this.#credit(bytes);
    stream.unreported += bytes;
    if (stream.unreported >= DEFAULT_WINDOW / 2 && !stream.finReceived && !stream.destroyed) {
      this.#answer(controlFrame(Type.WINDOW_UPDATE, 0, stream.id, stream.unreported));
      stream.unreported = 0;
    }
    if (this.#full.size > 0 && !stream.full && this.#full.delete(stream)) this.#pauseOrGoOn();
  }

  forget(stream: SpdyStream): void {
    if (this.#streams.delete(stream.id)) this.#options.count?.(-1);
    if (this.#full.delete(stream)) this.#pauseOrGoOn();
    if (this.#goingAway && this.#streams.size === 0) this.close();
  }

  /** Gives the client room in the window of the session. */
  #credit(bytes: number): void {
    this.#unreported += bytes;
    if (this.#unreported < DEFAULT_WINDOW / 2) return;
    this.#answer(controlFrame(Type.WINDOW_UPDATE, 0, 0, this.#unreported));
    this.#unreported = 0;
  }

  #read(chunk: Buffer): void {
    if (this.closed.aborted) return;
    this.#idle.refresh();
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error;
      this.destroy(error);
    }
  }

  #data(id: number, part: Buffer, flags: number, last: boolean): void {
    if (this.closed.aborted) return;
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.finReceived) {
      this.#credit(part.length);
      // The frames behind a reset that is on its way are no mistake; a stream that never was is one.
      if (id > this.#lastStream || id % 2 === 0)
        throw new SpdyError(`Data on stream ${id}, which is not open`);
      return;
    }
    if (part.length > 0) stream.deliver(part);
    if (last && (flags & FLAG_FIN) !== 0) stream.takeFin();
    if (!stream.full || this.#full.has(stream) || stream.destroyed) return;
    this.#full.add(stream);
    this.#pauseOrGoOn();
  }

  #control(type: number, flags: number, payload: Buffer): void {
    if (this.closed.aborted) return;
    switch (type) {
      case Type.SYN_STREAM:
        return this.#synStream(flags, payload);
      case Type.RST_STREAM:
        return this.#reset(word(payload, 0) & MAX_WINDOW, word(payload, 4));
      case Type.SETTINGS:
        return this.#settings(payload);
      case Type.PING:
        if (word(payload, 0) % 2 === 1) this.#answer(controlFrame(Type.PING, 0, word(payload, 0)));
        return;
      case Type.GOAWAY:
        this.#goingAway = true;
        if (this.#streams.size === 0) this.close();
        return;
      case Type.HEADERS:
        // Read for the sake of the compressor's history; nobody here asks for more headers.
        this.#headersIn.read(payload.subarray(4));
        if ((flags & FLAG_FIN) !== 0) this.#streams.get(word(payload, 0) & MAX_WINDOW)?.takeFin();
        return;
      case Type.WINDOW_UPDATE:
        return this.#windowUpdate(word(payload, 0) & MAX_WINDOW, word(payload, 4) & MAX_WINDOW);
      case Type.SYN_REPLY:
        throw new SpdyError('A reply to a stream that was not opened from here');
      default: // 2.2.1: types that are not known are passed over
    }
  }

  #synStream(flags: number, payload: Buffer): void {
    const id = word(payload, 0) & MAX_WINDOW;
    word(payload, 4);
    const headers = this.#headersIn.read(payload.subarray(10));
    if (id % 2 === 0 || id <= this.#lastStream)
      throw new SpdyError(`Stream ${id} after stream ${this.#lastStream}`);
    this.#lastStream = id;
    if (this.#goingAway) return;
    if (this.#streams.size >= this.#options.maxStreams) return this.sendReset(id, Reset.REFUSED_STREAM);
    const oneWay = (flags & FLAG_ONE_WAY) !== 0;
    const stream = new SpdyStream(this, id, headers, { sendWindow: this.#initialSendWindow, oneWay });
    this.#streams.set(id, stream);
    this.#options.count?.(1);
    // Before anything that the stream is told to send: clients drop data of a stream without a reply.
    if (!oneWay) this.#answer(controlFrame(Type.SYN_REPLY, 0, id, this.#headersOut.write({})));
    if (stream.destroyed) return;
    if (!this.#options.onStream(stream)) return void stream.destroy();
    if ((flags & FLAG_FIN) !== 0) stream.takeFin();
  }

  #reset(id: number, status: number): void {
    this.#streams.get(id)?.takeReset(`The client reset stream ${id} with status ${status}`);
  }

  /** 2.6.4: a new initial window changes the windows of all open streams by the difference. */
  #settings(payload: Buffer): void {
    const entries = word(payload, 0);
    for (let index = 0; index < entries; index++) {
      const id = word(payload, 4 + index * 8) & 0xff_ffff;
      const value = word(payload, 8 + index * 8);
      if (id !== INITIAL_WINDOW_SIZE) continue;
      if (value > MAX_WINDOW) throw new SpdyError(`An initial window of ${value} bytes`);
      for (const stream of this.#streams.values()) stream.sendWindow += value - this.#initialSendWindow;
      this.#initialSendWindow = value;
      this.#learnWindows();
    }
    this.#unblock();
  }

  #windowUpdate(id: number, delta: number): void {
    this.#learnWindows();
    const stream = this.#streams.get(id);
    if (id === 0) this.#sendWindow += delta;
    else if (stream !== undefined) stream.sendWindow += delta;
    if (this.#sendWindow > MAX_WINDOW) throw new SpdyError('The window of the session is too large');
    if (stream !== undefined && stream.sendWindow > MAX_WINDOW) {
      this.sendReset(id, Reset.FLOW_CONTROL_ERROR);
      stream.takeReset(`The window of stream ${id} is too large`);
    }
    this.#unblock();
  }

  /** The client keeps windows: from now on so do we, and give it larger ones. */
  #learnWindows(): void {
    if (this.#windows) return;
    this.#windows = true;
    this.#answer(controlFrame(Type.SETTINGS, 0, 1, INITIAL_WINDOW_SIZE, MAX_UNREAD_BYTES));
    this.#answer(controlFrame(Type.WINDOW_UPDATE, 0, 0, SESSION_WINDOW - DEFAULT_WINDOW));
  }

  #unblock(): void {
    for (const stream of this.#streams.values()) {
      const { blocked } = stream;
      stream.blocked = undefined;
      blocked?.();
    }
  }

  #pauseOrGoOn(): void {
    if (this.closed.aborted) return;
    clearInterval(this.#probe);
    if (this.#full.size === 0) {
      this.#transport.resume();
      return;
    }
    this.#transport.pause();
    this.#probe = setInterval(() => {
      this.#answer(controlFrame(Type.PING, 0, this.#nextPing));
      this.#nextPing = (this.#nextPing + 2) & 0x7fff_fffe;
    }, PROBE_MS);
    this.#probe.unref();
  }

  #destroyAfter(ms: number): void {
    const timer = setTimeout(() => this.#transport.destroy(), ms);
    this.#transport.once('close', () => clearTimeout(timer));
  }

  #goAway(status: number): void {
    this.#answer(controlFrame(Type.GOAWAY, 0, this.#lastStream, status));
  }

  /** Sends a frame that no window holds back. A client that never reads what it asks for is cut off. */
  #answer(frame: Buffer): void {
    if (this.closed.aborted || !this.#transport.writable || this.#transport.write(frame)) return;
    this.#unreadAnswers += frame.length;
    if (this.#unreadAnswers <= MAX_UNREAD_ANSWERS) return;
    this.#unreadAnswers = 0;
    this.destroy(new Error('The client does not read what it asks for'));
  }
}

function word(payload: Buffer, at: number): number {
  if (payload.length < at + 4) throw new SpdyError('A control frame ends too early');
  return payload.readUInt32BE(at);
}
