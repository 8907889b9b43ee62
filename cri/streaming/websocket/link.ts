import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { PipeBytes } from '../../../pod/streams.ts';
import { StreamReset } from '../spdy/error.ts';
import { BINARY, messageHead, TEXT, writeMessage } from './frame.ts';

const PROBE_MS = 5_000;
/** Of one message: browsers and proxies hold it whole. */
const MAX_MOVED_BYTES = 512 * 1024;
const GOING_AWAY = 1001;
const NORMAL = 1000;

/** What a link is told of. */
export interface LinkEvents {
  message(data: Buffer): void;
}

/**
 * A WebSocket with what the package does not bring: messages that are written without a copy and with back-pressure,
 * an idle timeout, and signs of life while it is not read.
 */
export class WebSocketLink {
  /** Aborts when the client is gone. */
  readonly closed: AbortSignal;
  readonly #abort = new AbortController();
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #idle: NodeJS.Timeout;
  #probe: NodeJS.Timeout | undefined;

  constructor(ws: WebSocket, socket: Duplex, idleMs: number) {
    this.closed = this.#abort.signal;
    this.#ws = ws;
    this.#socket = socket;
    this.#idle = setTimeout(() => this.close(GOING_AWAY), idleMs);
    this.#idle.unref();
    ws.on('ping', () => this.#idle.refresh());
    ws.on('error', () => {}); // a close follows
    ws.on('close', () => this.#over());
    ws.pause();
  }

  /** Begins to read and to tell of messages. */
  listen(events: LinkEvents): void {
    this.#ws.on('message', (data) => {
      this.#idle.refresh();
      events.message(data as Buffer);
    });
    this.#ws.resume();
  }

  /** Writes a message; `done` when its memory is free and the next one may follow. */
  send(
    prefix: Uint8Array,
    payload: readonly Uint8Array[],
    done: (error?: Error | null) => void,
    text = false,
  ): void {
    if (this.closed.aborted || this.#ws.readyState !== this.#ws.OPEN)
      return done(new StreamReset('The client left'));
    this.#idle.refresh();
    writeMessage(this.#socket, text ? TEXT : BINARY, prefix, payload, () => done());
  }

  /** Writes a message of bytes that stand in a pipe; how many. */
  move(prefix: Uint8Array, pipe: PipeBytes, done: () => void): number {
    if (this.closed.aborted || this.#ws.readyState !== this.#ws.OPEN) return 0;
    const length = Math.min(pipe.length, MAX_MOVED_BYTES);
    const more = pipe.length >= 2 * length;
    if (!pipe.sendTo(this.#socket, messageHead(BINARY, prefix, length), length, done, more)) return 0;
    this.#idle.refresh();
    return length;
  }

  /**
   * Reads no further. A client that leaves is then seen by what it answers to our pings; one that looks for signs of
   * life from us gets pongs that it did not ask for (RFC 6455, 5.5.3).
   */
  pause(): void {
    if (this.#ws.isPaused || this.closed.aborted) return;
    this.#ws.pause();
    this.#probe = setInterval(() => {
      this.#ws.ping();
      this.#ws.pong();
    }, PROBE_MS);
    this.#probe.unref();
  }

  resume(): void {
    clearInterval(this.#probe);
    this.#ws.resume();
  }

  /** Sends the close frame behind what was sent. The client's answer, or a minute, ends the connection. */
  close(code = NORMAL): void {
    this.resume();
    this.#ws.close(code);
  }

  /** Resolves when the connection is over. */
  async over(): Promise<void> {
    if (this.closed.aborted) return;
    await new Promise<void>((resolve) =>
      this.closed.addEventListener('abort', () => resolve(), { once: true }),
    );
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#ws.terminate();
  }

  #over(): void {
    clearTimeout(this.#idle);
    clearInterval(this.#probe);
    this.#abort.abort(new StreamReset('The client left'));
  }
}
