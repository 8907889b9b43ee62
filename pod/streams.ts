import type { Duplex, Readable, Writable } from 'node:stream';

/**
 * What the pod room offers to the streaming server: a command, a container or a port of a pod, as streams of bytes.
 * The wire knows the protocols, this room the processes.
 */

/** Bytes that stand in a pipe, for who can send them on without reading them. */
export interface PipeBytes {
  /** How many there are. */
  readonly length: number;
  /**
   * Sends `head` and behind it the first `length` of them. `done` when the socket can be written to again. False when
   * that cannot be done with this socket, or not now: nothing was sent. `more`: the rest will be sent at once, so that no
   * small packet has to end this.
   */
  sendTo(socket: Duplex, head: Uint8Array, length: number, done: () => void, more: boolean): boolean;
}

/** Takes what a stream lends. */
export interface Borrower {
  /** Nothing more comes before the bytes were given back. */
  take(bytes: Buffer, giveBack: () => void): void;
  /**
   * Passes on some of what stands in a pipe, and says how much; nothing more comes before `giveBack`. 0: nothing was
   * passed on, nothing is to be given back.
   */
  move?(pipe: PipeBytes, giveBack: () => void): number;
}

/**
 * A stream that can lend its bytes: what it reads stays in one buffer, which is read into again when it was given back,
 * or is not read at all. Much output then costs no memory and no garbage. Its end and its errors are told as by any
 * Readable.
 */
export interface LendingReadable extends Readable {
  /** From now on bytes go to this borrower, and to no other reader. */
  lend(borrower: Borrower): void;
}

export interface ExecRequest {
  command: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  /** Never with `tty`: a terminal has one output. */
  stderr: boolean;
}

/** A command that runs in a container. Streams that were not asked for are undefined. */
export interface ExecSession {
  /** `end()` closes the command's standard input; with a terminal it only stops feeding it. */
  readonly stdin: Writable | undefined;
  /** Ends when the command has ended and all that it wrote has been read; back-pressure reaches the command. */
  readonly stdout: Readable | LendingReadable | undefined;
  readonly stderr: Readable | LendingReadable | undefined;
  /** The command's exit code, 128+n after signal n. Settles at its exit, which may be before the streams end. */
  readonly exited: Promise<number>;
  /** No effect without a terminal. */
  resize(columns: number, rows: number): void;
  /** Ends the command with all that came from it. Idempotent. */
  kill(): void;
}

export interface AttachRequest {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/** A look into a running container. Streams that were not asked for are undefined. */
export interface AttachSession {
  /** Undefined as well when the container has no standard input. `end()` closes it when the container says stdinOnce. */
  readonly stdin: Writable | undefined;
  /** A reader that is too slow loses this session, never the container's time: the stream ends with a marker. */
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** The container writes to a terminal: there is no stderr. */
  readonly tty: boolean;
  /** Settles when the container's output has ended or the session was detached. */
  readonly ended: Promise<void>;
  resize(columns: number, rows: number): void;
  /** Leaves; the container goes on. Idempotent. */
  detach(): void;
}

export interface Streams {
  /** Throws `notfound`, `precondition` when the container does not run, `invalid` when the command cannot be run. */
  exec(containerId: string, request: ExecRequest, signal?: AbortSignal): Promise<ExecSession>;
  /** Throws `notfound`, `precondition` when the container does not run. */
  attach(containerId: string, request: AttachRequest, signal?: AbortSignal): Promise<AttachSession>;
  /**
   * Connects to a TCP port on the pod's localhost (IPv4, then IPv6), in the pod's network namespace. `end()` closes
   * one direction. Throws `notfound`, `precondition` for a sandbox that is not ready, `unavailable` when refused.
   */
  connect(sandboxId: string, port: number, signal?: AbortSignal): Promise<Duplex>;
}
