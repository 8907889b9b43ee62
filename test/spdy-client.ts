import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createDeflate, createInflate, constants, type Deflate, type Inflate } from 'node:zlib';

/*
 * A SPDY/3.1 client, written from the protocol (draft-mbelshe-httpbis-spdy-00 and its 3.1 addition) and with nothing
 * of the server's code: a mistake on one side is not repeated on the other.
 */

/** What the server answered instead of an upgrade. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;

  constructor(response: IncomingMessage, body: string) {
    super(`HTTP ${response.statusCode}: ${body.trim()}`);
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.body = body;
  }
}

/** The stream was ended by RST_STREAM; `status` 5 is CANCEL, 3 REFUSED_STREAM, 1 PROTOCOL_ERROR. */
export class StreamWasReset extends Error {
  readonly status: number;

  constructor(id: number, status: number) {
    super(`Stream ${id} was reset with status ${status}`);
    this.status = status;
  }
}

export interface SpdyClientOptions {
  /** In the order of preference; sent as X-Stream-Protocol-Version. */
  protocols: string[];
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  /** Trusted for https. */
  ca?: string | Buffer;
  /**
   * Keeps the windows of SPDY/3.1 on both sides and says so in SETTINGS. Without it the client does as the one in
   * kubectl, crictl and kubelet does, which knows no windows: TCP alone holds back.
   */
  windows?: boolean;
}

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 9;
const FIN = 1;
const INITIAL_WINDOW = 65_536;

/** A SPDY connection to the streaming server. */
export class SpdyClient {
  /** What the server chose. */
  readonly protocol: string;
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  /** Status of the server's GOAWAY, when one came. */
  goaway: number | undefined;
  /** Frames that came, by type; `data` counts DATA. */
  readonly received: Record<string, number> = {};
  readonly #socket: Duplex;
  readonly #windows: boolean;
  readonly #deflate: Deflate = createDeflate({ dictionary: DICTIONARY });
  readonly #inflate: Inflate = createInflate({ dictionary: DICTIONARY });
  readonly #streams = new Map<number, SpdyClientStream>();
  readonly #pings = new Map<number, () => void>();
  #input: Buffer = Buffer.alloc(0);
  /** The data frame whose rest is still to come. */
  #data: { id: number; flags: number; left: number } | undefined;
  #nextStream = 1;
  #nextPing = 1;
  #sendWindow = INITIAL_WINDOW;
  #initialSendWindow = INITIAL_WINDOW;
  #consumed = 0;
  /** Header blocks have to be compressed in the order of their frames. */
  #order: Promise<void> = Promise.resolve();
  #replies: Promise<void> = Promise.resolve();

  /** Over any connection that was upgraded already, a tunnel too. */
  constructor(socket: Duplex, options: { protocol?: string; windows?: boolean; head?: Buffer } = {}) {
    this.#socket = socket;
    this.#windows = options.windows ?? false;
    this.protocol = options.protocol ?? '';
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('end', () => this.#over());
    socket.on('close', () => this.#over());
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    if (this.#windows) this.settings({ 7: INITIAL_WINDOW });
    if (options.head !== undefined && options.head.length > 0) this.#take(options.head);
  }

  /** Upgrades a connection to `url`. Rejects with UpgradeRefused when the server answers something else. */
  static connect(url: string, options: SpdyClientOptions): Promise<SpdyClient> {
    return new Promise((resolve, reject) => {
      const open = url.startsWith('https:') ? httpsRequest : httpRequest;
      const request = open(url, {
        method: options.method ?? 'POST',
        agent: false,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'SPDY/3.1',
          ...(options.protocols.length > 0 ? { 'X-Stream-Protocol-Version': options.protocols } : {}),
          ...options.headers,
        },
      });
      request.once('error', reject);
      request.once('upgrade', (response: IncomingMessage, socket: Socket, head: Buffer) => {
        socket.setNoDelay(true);
        const protocol = String(response.headers['x-stream-protocol-version'] ?? '');
        resolve(new SpdyClient(socket, { protocol, windows: options.windows, head }));
      });
      request.once('response', (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => (body += text));
        response.on('end', () => reject(new UpgradeRefused(response, body)));
      });
      request.end();
    });
  }

  /** Opens a stream. What is written to it before the server's reply goes out behind the SYN_STREAM. */
  open(headers: Record<string, string>, options: { fin?: boolean } = {}): SpdyClientStream {
    const id = this.#nextStream;
    this.#nextStream += 2;
    const stream = new SpdyClientStream(this, id, this.#initialSendWindow);
    this.#streams.set(id, stream);
    stream.once('close', () => this.#streams.delete(id));
    this.sendHeaders(SYN_STREAM, id, headers, options.fin === true ? FIN : 0);
    if (options.fin === true) stream.end();
    return stream;
  }

  /** Sends a header block in SYN_STREAM or another frame, in its order. */
  sendHeaders(type: number, id: number, headers: Record<string, string>, flags: number): void {
    this.#order = this.#order.then(async () => {
      const block = await compressed(this.#deflate, headerBlock(headers));
      const head = Buffer.alloc(type === SYN_STREAM ? 10 : 4);
      head.writeUInt32BE(id);
      this.control(type, flags, Buffer.concat([head, block]));
    });
  }

  /** Sends any control frame. */
  control(type: number, flags: number, payload: Buffer): void {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE(payload.length, 4);
    head[4] = flags;
    this.raw(Buffer.concat([head, payload]));
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer): boolean {
    return this.#socket.writable && this.#socket.write(bytes);
  }

  /** Sends DATA as soon as the header blocks before it are out and, with windows, there is room. */
  data(stream: SpdyClientStream, chunk: Buffer, fin: boolean, done: () => void): void {
    void this.#order.then(() => this.#send(stream, chunk, fin, done));
  }

  #send(stream: SpdyClientStream, chunk: Buffer, fin: boolean, done: () => void): void {
    const room = this.#windows
      ? Math.min(chunk.length, this.#sendWindow, stream.sendWindow, 32_768)
      : Math.min(chunk.length, 32_768);
    if (room <= 0 && chunk.length > 0) {
      stream.blocked = () => this.#send(stream, chunk, fin, done);
      return;
    }
    const last = room === chunk.length;
    const head = Buffer.alloc(8);
    head.writeUInt32BE(stream.id, 0);
    head.writeUInt32BE(room, 4);
    if (fin && last) head[4] = FIN;
    this.#sendWindow -= room;
    stream.sendWindow -= room;
    const free = this.raw(Buffer.concat([head, chunk.subarray(0, room)]));
    const next = (): void => (last ? done() : this.#send(stream, chunk.subarray(room), fin, done));
    if (free || !this.#socket.writable) setImmediate(next);
    else this.#socket.once('drain', next);
  }

  /** Sends RST_STREAM. */
  reset(id: number, status = 5): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(id, 0);
    payload.writeUInt32BE(status, 4);
    void this.#order.then(() => this.control(RST_STREAM, 0, payload));
  }

  /** Resolves with the answer to a PING. */
  ping(): Promise<void> {
    const id = this.#nextPing;
    this.#nextPing += 2;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(id);
    this.control(PING, 0, payload);
    return new Promise((resolve) => this.#pings.set(id, resolve));
  }

  /** Sends SETTINGS: 7 is INITIAL_WINDOW_SIZE. */
  settings(values: Record<number, number>): void {
    const entries = Object.entries(values);
    const payload = Buffer.alloc(4 + entries.length * 8);
    payload.writeUInt32BE(entries.length);
    entries.forEach(([id, value], index) => {
      payload.writeUInt32BE(Number(id), 4 + index * 8);
      payload.writeUInt32BE(value, 8 + index * 8);
    });
    this.control(SETTINGS, 0, payload);
  }

  /** The reader took bytes. */
  consumed(stream: SpdyClientStream, bytes: number): void {
    if (!this.#windows || bytes === 0) return;
    this.#consumed += bytes;
    stream.consumedBytes += bytes;
    if (this.#consumed >= INITIAL_WINDOW / 2) {
      this.#windowUpdate(0, this.#consumed);
      this.#consumed = 0;
    }
    if (stream.consumedBytes >= INITIAL_WINDOW / 2) {
      this.#windowUpdate(stream.id, stream.consumedBytes);
      stream.consumedBytes = 0;
    }
  }

  #windowUpdate(id: number, delta: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(id, 0);
    payload.writeUInt32BE(delta, 4);
    this.control(WINDOW_UPDATE, 0, payload);
  }

  /** Stops and goes on reading from the network. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says GOAWAY and closes, as the clients of Kubernetes do at their end. */
  close(): void {
    this.control(GOAWAY, 0, Buffer.alloc(8));
    this.#socket.end();
  }

  /** Is gone without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  #over(): void {
    for (const stream of this.#streams.values()) stream.finishReading();
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    for (;;) {
      if (this.#data !== undefined) {
        if (this.#input.length === 0) return;
        this.#dataPart();
        continue;
      }
      if (this.#input.length < 8) return;
      const word = this.#input.readUInt32BE(0);
      if (word < 0x8000_0000) {
        this.#dataHead(word);
        continue;
      }
      const length = this.#input.readUInt32BE(4) & 0xff_ffff;
      if (this.#input.length < 8 + length) return;
      const frame = this.#input.subarray(0, 8 + length);
      this.#input = this.#input.subarray(8 + length);
      this.#frame(frame);
    }
  }

  #frame(frame: Buffer): void {
    const flags = frame[4]!;
    const payload = frame.subarray(8);
    const word = frame.readUInt32BE(0);
    if (word >>> 16 !== 0x8003) throw new Error(`Frame of version ${(word >>> 16) & 0x7fff}`);
    const type = word & 0xffff;
    this.received[type] = (this.received[type] ?? 0) + 1;
    const id = payload.length >= 4 ? payload.readUInt32BE(0) & 0x7fff_ffff : 0;
    const stream = this.#streams.get(id);
    if (type === SYN_REPLY) {
      if (stream !== undefined) stream.replied = true;
      this.#replies = this.#replies
        .then(() => inflated(this.#inflate, Buffer.from(payload.subarray(4))))
        .then((block) => stream?.onReply(readHeaders(block)));
      if ((flags & FIN) !== 0) stream?.finishReading();
    } else if (type === RST_STREAM) stream?.destroy(new StreamWasReset(id, payload.readUInt32BE(4)));
    else if (type === PING) {
      if (id % 2 === 0) this.control(PING, 0, Buffer.from(payload));
      else this.#pings.get(id)?.();
    } else if (type === GOAWAY) this.goaway = payload.readUInt32BE(4);
    else if (type === SETTINGS) this.#takeSettings(payload);
    else if (type === WINDOW_UPDATE) this.#takeWindow(id, payload.readUInt32BE(4) & 0x7fff_ffff);
    else throw new Error(`Frame of type ${type}`);
  }

  #dataHead(id: number): void {
    this.received['data'] = (this.received['data'] ?? 0) + 1;
    const flags = this.#input[4]!;
    const left = this.#input.readUInt32BE(4) & 0xff_ffff;
    this.#input = this.#input.subarray(8);
    const stream = this.#streams.get(id);
    // A client of Kubernetes drops what comes before the reply, and so would a command's output be lost.
    if (stream?.replied === false) throw new Error(`Data before the reply of stream ${id}`);
    if (left > 0) this.#data = { id, flags, left };
    else if ((flags & FIN) !== 0) stream?.finishReading();
  }

  /** Data is handed on as it comes: to put frames together would be to copy them. */
  #dataPart(): void {
    const data = this.#data!;
    const part = this.#input.subarray(0, data.left);
    this.#input = this.#input.subarray(part.length);
    data.left -= part.length;
    if (data.left === 0) this.#data = undefined;
    const stream = this.#streams.get(data.id);
    if (stream === undefined) return;
    if (!stream.push(part)) this.#full(stream);
    if (data.left === 0 && (data.flags & FIN) !== 0) stream.finishReading();
  }

  /** Without windows a stream that is not read holds the whole connection, as with Kubernetes' own client. */
  #full(stream: SpdyClientStream): void {
    if (this.#windows) return;
    this.#socket.pause();
    stream.wanted = () => this.#socket.resume();
  }

  #takeSettings(payload: Buffer): void {
    for (let at = 4; at + 8 <= payload.length; at += 8) {
      if ((payload.readUInt32BE(at) & 0xff_ffff) !== 7) continue;
      const delta = payload.readUInt32BE(at + 4) - this.#initialSendWindow;
      this.#initialSendWindow += delta;
      for (const stream of this.#streams.values()) stream.sendWindow += delta;
    }
    this.#unblock();
  }

  #takeWindow(id: number, delta: number): void {
    const stream = this.#streams.get(id);
    if (id === 0) this.#sendWindow += delta;
    else if (stream !== undefined) stream.sendWindow += delta;
    this.#unblock();
  }

  #unblock(): void {
    for (const stream of this.#streams.values()) {
      const { blocked } = stream;
      stream.blocked = undefined;
      blocked?.();
    }
  }
}

/** One stream: `end()` closes one direction, `destroy()` resets. */
export class SpdyClientStream extends Duplex {
  readonly id: number;
  /** The headers of the server's reply. */
  readonly reply: Promise<Record<string, string>>;
  replied = false;
  sendWindow: number;
  consumedBytes = 0;
  blocked: (() => void) | undefined;
  wanted: (() => void) | undefined;
  readonly #client: SpdyClient;
  #arrived = 0;
  #taken = 0;
  #resolveReply!: (headers: Record<string, string>) => void;

  constructor(client: SpdyClient, id: number, sendWindow: number) {
    super({ allowHalfOpen: true, readableHighWaterMark: 65_536 });
    this.#client = client;
    this.id = id;
    this.sendWindow = sendWindow;
    this.reply = new Promise((resolve) => (this.#resolveReply = resolve));
  }

  onReply(headers: Record<string, string>): void {
    this.#resolveReply(headers);
  }

  finishReading(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null);
    // Nothing more comes: the others need not wait until this one is read.
    this._read();
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk !== null) this.#arrived += chunk.length;
    const more = super.push(chunk);
    this.#account();
    return more;
  }

  override read(size?: number): Buffer {
    const chunk = super.read(size) as Buffer;
    this.#account();
    return chunk;
  }

  /** What has arrived and lies in no buffer any more was taken by the reader. */
  #account(): void {
    const taken = this.#arrived - this.readableLength;
    this.#client.consumed(this, taken - this.#taken);
    this.#taken = taken;
  }

  override _read(): void {
    const { wanted } = this;
    this.wanted = undefined;
    wanted?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#client.data(this, chunk, false, done);
  }

  override _final(done: () => void): void {
    this.#client.data(this, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!(error instanceof StreamWasReset) && !(this.readableEnded && this.writableFinished))
      this.#client.reset(this.id);
    done(error);
  }
}

function headerBlock(headers: Record<string, string>): Buffer {
  const texts = Object.entries(headers).flatMap(([name, value]) => [name.toLowerCase(), value]);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(texts.length / 2);
  return Buffer.concat([count, ...texts.map(counted)]);
}

function readHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  let at = 4;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    at += 4 + length;
    return block.toString('utf8', at - length, at);
  };
  for (let left = block.readUInt32BE(0); left > 0; left--) headers[text()] = text();
  return headers;
}

function compressed(deflate: Deflate, block: Buffer): Promise<Buffer> {
  return through(deflate, block);
}

function inflated(inflate: Inflate, block: Buffer): Promise<Buffer> {
  return through(inflate, block);
}

function through(codec: Deflate | Inflate, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    codec.on('data', take);
    codec.once('error', reject);
    codec.write(input);
    codec.flush(constants.Z_SYNC_FLUSH, () => {
      codec.off('data', take);
      codec.off('error', reject);
      resolve(Buffer.concat(parts));
    });
  });
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Section 2.6.10.1: names with their lengths before them, then common values run together. */
const DICTIONARY = Buffer.concat([
  ...(
    'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age ' +
    'allow authorization cache-control connection content-base content-encoding content-language content-length ' +
    'content-location content-md5 content-range content-type date etag expect expires from host if-match ' +
    'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma ' +
    'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade ' +
    'user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie ' +
    'keep-alive origin'
  )
    .split(' ')
    .map((word) => counted(word.replace('_', ' '))),
  Buffer.from(
    '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
      '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized' +
      '403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable' +
      'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
      'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,' +
      'text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
  ),
]);
