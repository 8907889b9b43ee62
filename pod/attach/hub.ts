import { Writable } from 'node:stream';
import type { DescriptorStream } from '../../native/descriptor-stream.ts';
import { shutdownSocket } from '../../native/unix-socket.ts';
import type { AttachRequest, AttachSession } from '../streams.ts';
import { BoundedOutput } from './bounded-output.ts';

/** What the container was made with (CRI ContainerConfig). */
export interface HubOptions {
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  /** An earlier session has closed its standard input. */
  inputClosed: boolean;
  /** Called when a session of this hub does so. */
  closeInput(): void;
  resize(columns: number, rows: number): void;
}

/** The first byte of a packet of the monitor: whose output the rest is. */
const STDOUT = 2;
const STDERR = 3;
const NOTHING = Buffer.alloc(0);

/**
 * The one connection to a container's monitor, and all that are attached through it:
 *
 * ```
 * container ──► monitor ──► hub ──► session (bounded) ──► reader
 *                  └──► log    └──► session (bounded) ──► reader
 * ```
 *
 * The monitor waits for whoever reads from its socket too slowly, and the container waits with it. So the hub always
 * reads, and what a session cannot take ends that session alone (moby#22502).
 *
 * When the monitor's reader leaves, a container with stdinOnce loses its standard input. So for such a container the
 * connection stays while its input has not been used, and what comes is dropped.
 */
export class AttachHub {
  /** Settles when the connection has ended: with the container, its monitor, or the last session. */
  readonly ended: Promise<void>;
  readonly #stream: DescriptorStream;
  readonly #options: HubOptions;
  readonly #sessions = new Set<Session>();
  #inputClosed: boolean;
  #over = false;

  /** Takes over the stream, whose chunks are the monitor's packets. */
  constructor(stream: DescriptorStream, options: HubOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#inputClosed = options.inputClosed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const end = (): void => {
      if (this.#over) return;
      this.#over = true;
      stream.destroy();
      for (const session of this.#sessions) session.finish();
      this.#sessions.clear();
      resolve();
    };
    for (const event of ['end', 'close', 'error'] as const) stream.on(event, end);
    stream.on('data', (packet: Buffer) => this.#take(packet));
  }

  get over(): boolean {
    return this.#over;
  }

  /** A new session. */
  join(request: AttachRequest): AttachSession {
    const { tty, stdin } = this.#options;
    const session = new Session({
      stdout: request.stdout ? new BoundedOutput() : undefined,
      // A terminal has one output.
      stderr: request.stderr && !tty ? new BoundedOutput() : undefined,
      stdin: request.stdin && stdin && !this.#inputClosed ? this.#input() : undefined,
      tty,
      resize: (columns, rows) => {
        if (tty && !this.#over) this.#options.resize(columns, rows);
      },
      leave: (one) => this.#leave(one),
    });
    this.#sessions.add(session);
    return session;
  }

  /** Ends the connection and all sessions. Again: does nothing. */
  close(): void {
    this.#stream.destroy();
  }

  #take(packet: Buffer): void {
    const bytes = packet.subarray(1);
    if (bytes.length === 0) return;
    for (const session of this.#sessions) {
      const output =
        packet[0] === STDOUT ? session.stdout : packet[0] === STDERR ? session.stderr : undefined;
      if (output?.offer(bytes) === false) session.detach();
    }
  }

  /** One session's way to the container's standard input. */
  #input(): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        // Who writes to a container that has ended learns that from the end of the session.
        if (this.#over || this.#inputClosed) return done();
        this.#stream.write(chunk, () => done());
      },
      final: (done) => {
        if (this.#options.stdinOnce) this.#closeInput();
        done();
      },
    });
  }

  #closeInput(): void {
    if (this.#inputClosed || this.#over) return;
    this.#inputClosed = true;
    this.#options.closeInput();
    const stream = this.#stream;
    stream.end(() => {
      if (!stream.destroyed) shutdownSocket(stream.fd, 'write');
    });
  }

  #leave(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    if (this.#options.stdinOnce && session.stdin !== undefined) this.#closeInput();
    const { stdin, stdinOnce } = this.#options;
    const kept = stdin && stdinOnce && !this.#inputClosed;
    if (this.#sessions.size > 0 || kept) return;
    // What was written to it may still be on its way.
    if (this.#stream.writableEnded) this.#stream.end(() => this.#closeIdle());
    else this.#stream.write(NOTHING, () => this.#closeIdle());
  }

  #closeIdle(): void {
    if (this.#sessions.size === 0) this.close();
  }
}

interface SessionParts extends Pick<AttachSession, 'stdin' | 'tty' | 'resize'> {
  stdout: BoundedOutput | undefined;
  stderr: BoundedOutput | undefined;
  leave(session: Session): void;
}

class Session implements AttachSession {
  readonly stdin: Writable | undefined;
  readonly stdout: BoundedOutput | undefined;
  readonly stderr: BoundedOutput | undefined;
  readonly tty: boolean;
  readonly ended: Promise<void>;
  readonly resize: AttachSession['resize'];
  readonly #end: () => void;
  readonly #leave: (session: Session) => void;

  constructor({ stdin, stdout, stderr, tty, resize, leave }: SessionParts) {
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.tty = tty;
    this.resize = resize;
    this.#leave = leave;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  detach(): void {
    this.#leave(this);
    this.finish();
  }

  /** Nothing more comes. Again: does nothing. */
  finish(): void {
    this.stdout?.finish();
    this.stderr?.finish();
    this.#end();
  }
}
