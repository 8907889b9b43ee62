import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pendingBytes } from '../../native/fd.ts';

const CHUNK = 64 * 1024;

/**
 * The read end of a command's output pipe. While nobody reads from it, the pipe fills and the command waits.
 * It ends when the last writer has closed the pipe, or, after `finish`, when all that the command wrote has been read:
 * a child of it that holds the pipe does not hold the caller (containerd#9568). From then on, and when the reader has
 * left, everything is read and dropped, so that no process in the container waits for ever or dies of SIGPIPE.
 */
export class CommandOutput extends Readable {
  readonly #fd: number;
  readonly #socket: Socket;
  /** Bytes that the command wrote and that were not read yet at its end; undefined while it runs. */
  #left: number | undefined;
  #graceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropping = false;
  /** Every writer has closed the pipe. */
  #over = false;

  /** Takes over the file descriptor. `socket` reads from it, when it is no pipe. */
  constructor(fd: number, socket = new Socket({ fd, readable: true, writable: false })) {
    super({ highWaterMark: CHUNK });
    this.#fd = fd;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    for (const event of ['end', 'close'] as const) socket.on(event, () => this.#end());
    // A pipe has no errors but those of its descriptor; a terminal says EIO when its last user has closed it.
    socket.on('error', () => this.#end());
  }

  /**
   * The command has ended: what it wrote is still read, in the reader's time; then `graceMs` are left for what its
   * children write.
   */
  finish(graceMs: number): void {
    if (this.#over || this.#left !== undefined) return;
    this.#graceMs = graceMs;
    this.#left = this.#socket.destroyed ? 0 : this.#socket.readableLength + pendingBytes(this.#fd);
    if (this.#left <= 0) this.#startGrace();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#drop();
    done(error);
  }

  #take(chunk: Buffer): void {
    if (this.#dropping) return;
    if (!this.push(chunk)) this.#socket.pause();
    if (this.#left === undefined) return;
    this.#left -= chunk.length;
    if (this.#left <= 0) this.#startGrace();
  }

  /** The time is the reader's, too: it only counts while something could be read. */
  #startGrace(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#socket.isPaused()) return this.#startGrace();
      this.push(null);
      this.#drop();
    }, this.#graceMs);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#dropping = true;
    this.#socket.resume();
    this.#socket.unref();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    if (!this.#dropping) this.push(null);
  }
}
