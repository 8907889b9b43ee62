import { Socket } from 'node:net';
import { Writable } from 'node:stream';

/**
 * The write end of a command's input pipe. `end()` closes it once all is written, so the command reads to the end.
 * What a command does not want to read any more (it has closed its input, or ended) is dropped without an error: how a
 * command ends says its exit code.
 */
export class CommandInput extends Writable {
  readonly #socket: Socket;
  #gone = false;

  /** Takes over the file descriptor. */
  constructor(fd: number) {
    super();
    this.#socket = new Socket({ fd, readable: false, writable: true });
    // EPIPE: nobody reads.
    this.#socket.on('error', () => (this.#gone = true));
  }

  /** Nobody reads any more: closes the pipe, drops what is not written yet. */
  close(): void {
    this.#gone = true;
    this.#socket.destroy();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#gone) return done();
    this.#socket.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    if (!this.#gone) this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // An end that is still being written has to arrive.
    if (!this.writableFinished) this.close();
    done(error);
  }
}
