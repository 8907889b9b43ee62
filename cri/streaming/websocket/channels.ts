import { Readable, Writable } from 'node:stream';
import type { ChannelProtocol } from '../protocols.ts';
import { StreamReset } from '../spdy/error.ts';
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

  constructor(link: WebSocketLink, protocol: ChannelProtocol) {
    this.#link = link;
    this.#protocol = protocol;
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
    return reader;
  }

  /** What goes to the client on a channel. No message tells of its end. */
  writer(channel: number): Writable {
    const { base64 } = this.#protocol;
    const prefix = Buffer.from([base64 ? ZERO + channel : channel]);
    const writer = new Writable({
      highWaterMark: 64 * 1024,
      write: (chunk: Buffer, _encoding, done) => {
        const payload = base64 ? Buffer.from(chunk.toString('base64'), 'latin1') : chunk;
        this.#link.send(prefix, [payload], done, base64);
      },
    });
    writer.on('error', () => {});
    this.#link.closed.addEventListener('abort', () => writer.destroy(new StreamReset('The client left')), {
      once: true,
    });
    return writer;
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
  }
}
