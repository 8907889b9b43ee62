import { Writable } from 'node:stream';

/**
 * What a command reads: the write end of its input pipe, or its terminal. `end()` of a pipe closes it once all is
 * written, so the command reads to the end; a terminal stays open. What a command does not want to read any more (it
 * has closed its input, or ended) is dropped without an error: how a command ends says its exit code.
 */
export class CommandInput extends Writable {
  readonly #sink: Writable;
  readonly #closes: boolean;
  #gone = false;

  /** `closes`: the sink ends with this stream, and belongs to it. */
  constructor(sink: Writable, closes: boolean) {
    super();
    this.#sink = sink;
    this.#closes = closes;
    // EPIPE, EIO: nobody reads.
    sink.on('error', () => (this.#gone = true));
  }

  /** Nobody reads any more: closes the pipe, drops what is not written yet. */
  close(): void {
    this.#gone = true;
    if (this.#closes) this.#sink.destroy();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#gone || this.#sink.destroyed) return done();
    this.#sink.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    if (this.#closes && !this.#gone) this.#sink.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // An end that is still being written has to arrive.
    if (!this.writableFinished) this.close();
    done(error);
  }
}
