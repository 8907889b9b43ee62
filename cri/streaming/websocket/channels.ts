import { Readable, Writable } from 'node:stream';
import type { PipeBytes } from '../../../pod/streams.ts';
import type { ChannelProtocol } from '../protocols.ts';
import { StreamReset } from '../spdy/error.ts';
import type { CountStreams } from '../counts.ts';
import type { MovingWritable } from '../pump.ts';
import type { WebSocketLink } from './link.ts';

/** From v5 on: 255 and the number of a channel close that channel. */
const CLOSE = 255;
const CLOSE_SINCE_VERSION = 5;
const MAX_UNREAD_BYTES = 256 * 1024;
const ZERO = '0'.charCodeAt(0);

/**
 * The channels of one WebSocket: the first byte of a message, or with base64 its first digit, is the channel's number
 * (k8s.io/apimachinery, pkg/util/remotecommand and httpstream/wsstream).
 */
export class Channels {
  readonly #link: WebSocketLink;
  readonly #protocol: ChannelProtocol;
  readonly #readers = new Map<number, Readable>();
  readonly #open = new Set<number>();
  readonly #count: CountStreams;

  /** `count` is told of channels that open and end. */
  constructor(link: WebSocketLink, protocol: ChannelProtocol, count: CountStreams = () => {}) {
    this.#link = link;
    this.#protocol = protocol;
    this.#count = count;
    link.closed.addEventListener('abort', () => this.#over(), { once: true });
  }

  /** Begins to read. Messages on channels without a reader are passed over. */
  listen(): void {
    this.#link.listen({ message: (data) => this.#message(data) });
  }

  /** What the client writes to a channel. Holds up the whole connection when nobody takes it. */
  reader(channel: number): Readable {
    const reader = new Readable({
      highWaterMark: 64 * 1024,
      // Asked for when what is left after the read falls below the mark, and not again before something comes: who lets
      // this pass waits for ever.
      read: () => this.#goOn(),
    });
    reader.on('error', () => {});
    reader.once('close', () => this.#goOn());
    this.#readers.set(channel, reader);
    this.#opens(channel);
    return reader;
  }

  /** What goes to the client on a channel. No message tells of its end. */
  writer(channel: number): ChannelWriter {
    this.#opens(channel);
    const writer = new ChannelWriter(this.#link, channel, this.#protocol.base64);
    writer.on('error', () => {});
    this.#link.closed.addEventListener('abort', () => writer.destroy(new StreamReset('The client left')), {
      once: true,
    });
    return writer;
  }

  #opens(channel: number): void {
    if (!this.#open.has(channel)) this.#count(1);
    this.#open.add(channel);
  }

  /** Nothing more comes on a channel. */
  close(channel: number): void {
    this.#readers.get(channel)?.push(null);
    this.#readers.delete(channel);
  }

  #message(data: Buffer): void {
    const { base64, version } = this.#protocol;
    if (data.length === 0) return;
    const channel = base64 ? data[0]! - ZERO : data[0]!;
    if (channel === CLOSE && version >= CLOSE_SINCE_VERSION) {
      if (data[1] !== undefined) this.close(data[1]);
      return;
    }
    const reader = this.#readers.get(channel);
    if (reader === undefined || reader.destroyed || data.length === 1) return;
    reader.push(base64 ? Buffer.from(data.toString('latin1', 1), 'base64') : data.subarray(1));
    if (reader.readableLength > MAX_UNREAD_BYTES) this.#link.pause();
  }

  #goOn(): void {
    this.#link.resume();
  }

  #over(): void {
    for (const reader of this.#readers.values()) reader.destroy(new StreamReset('The client left'));
    this.#readers.clear();
    this.#count(-this.#open.size);
    this.#open.clear();
  }
}

/** One channel to the client. */
class ChannelWriter extends Writable implements MovingWritable {
  readonly #link: WebSocketLink;
  readonly #prefix: Uint8Array;
  readonly #base64: boolean;

  constructor(link: WebSocketLink, channel: number, base64: boolean) {
    super({ highWaterMark: 64 * 1024 });
    this.#link = link;
    this.#prefix = Buffer.from([base64 ? ZERO + channel : channel]);
    this.#base64 = base64;
  }

  moveFrom(pipe: PipeBytes, done: () => void): number {
    if (this.#base64 || !this.writable || this.writableLength > 0) return 0;
    return this.#link.move(this.#prefix, pipe, done);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const payload = this.#base64 ? Buffer.from(chunk.toString('base64'), 'latin1') : chunk;
    this.#link.send(this.#prefix, [payload], done, this.#base64);
  }
}
