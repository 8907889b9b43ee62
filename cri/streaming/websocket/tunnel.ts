import { Duplex } from 'node:stream';
import type { WebSocketLink } from './link.ts';

const NO_PREFIX = new Uint8Array(0);

/** The bytes of another protocol in the binary messages of a WebSocket. Where they are cut has no meaning. */
export class Tunnel extends Duplex {
  readonly #link: WebSocketLink;

  constructor(link: WebSocketLink) {
    super({ readableHighWaterMark: 256 * 1024, writableHighWaterMark: 64 * 1024 });
    this.#link = link;
    link.closed.addEventListener('abort', () => this.#over(), { once: true });
    link.listen({
      message: (data) => {
        if (!this.push(data)) link.pause();
      },
    });
  }

  override _read(): void {
    this.#link.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#link.send(NO_PREFIX, [chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#link.send(
      NO_PREFIX,
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#link.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.writableFinished) this.#link.close();
    else this.#link.destroy();
    done(error);
  }

  #over(): void {
    if (!this.readableEnded) this.push(null);
    this.destroy();
  }
}
