import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import { isErrno } from './errno.ts';

const CHUNK = 64 * 1024;
/** More than a pipe can hold (fcntl(2), F_SETPIPE_SZ): who reads more at once runs a race with a living writer. */
const MAX_CHUNKS_AT_ONCE = 16;

/**
 * The read end of a child's output pipe: keeps up to `limit` bytes and drops what comes after, without ever letting
 * the writer block or die of SIGPIPE. Takes over the file descriptor; reads on the event loop, on no pool thread.
 */
export class OutputPipe {
  readonly #fd: number;
  readonly #limit: number;
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  /** Whether bytes were dropped. */
  truncated = false;
  /** Resolves when every writer has closed the pipe. */
  readonly ended: Promise<void>;
  #end!: () => void;
  #over = false;

  constructor(fd: number, limit: number) {
    this.#fd = fd;
    this.#limit = limit;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (chunk: Buffer) => this.#keep(chunk));
    // `end` comes before the socket closes the file descriptor, whose number may then soon mean something else.
    this.#socket.on('end', () => this.#finish());
    this.#socket.on('close', () => this.#finish());
    // A pipe has no errors but those of its file descriptor; either way nothing more comes.
    this.#socket.on('error', () => this.#finish());
  }

  /** Reads at once all that stands in the pipe. True when every writer has closed it. */
  drainNow(): boolean {
    for (let chunks = 0; !this.#over && !this.#socket.destroyed; chunks++) {
      if (chunks === MAX_CHUNKS_AT_ONCE) return false;
      const chunk = Buffer.allocUnsafe(CHUNK);
      let size: number;
      try {
        size = readSync(this.#fd, chunk, 0, CHUNK, null);
      } catch (error) {
        if (isErrno(error, 'EAGAIN')) return false;
        throw error;
      }
      if (size === 0) {
        this.#socket.destroy();
        this.#finish();
      } else this.#keep(chunk.subarray(0, size));
    }
    return true;
  }

  /** What was kept so far. From here on everything is read and dropped until the last writer closes the pipe. */
  take(): Buffer {
    const kept = Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    this.#kept = this.#limit;
    this.#socket.unref();
    return kept;
  }

  #keep(chunk: Buffer): void {
    const room = this.#limit - this.#kept;
    if (chunk.length > room) this.truncated = true;
    if (room <= 0) return;
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#chunks.push(part);
    this.#kept += part.length;
  }

  #finish(): void {
    this.#over = true;
    this.#end();
  }
}
