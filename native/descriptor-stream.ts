import { readSync, writeSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { EPOLLIN, EPOLLOUT } from './epoll.ts';
import { isErrno } from './errno.ts';
import { OwnedFd, setNonBlocking } from './fd.ts';
import type { Look, Readiness } from './readiness.ts';

const CHUNK = 64 * 1024;
/** Reads in a row, so that one busy descriptor leaves room for others. */
const READS_AT_ONCE = 16;
/** Where all reads go first: what is kept in queues takes no more memory than it needs. */
const ROOM = Buffer.allocUnsafeSlow(CHUNK);

export interface DescriptorStreamOptions {
  /** A read of no bytes, or one that fails with one of these errors, is the end. */
  endErrors?: readonly string[];
  /** Bytes that a single write may have. The default is no limit. */
  maxWrite?: number;
  highWaterMark?: number;
}

/**
 * A non-blocking descriptor as a stream, for what libuv has no handle for: the master of a pseudo-terminal (libuv
 * would write to it with the whole process waiting), sockets of packets (each chunk is one packet). One of the
 * directions may end before the other.
 */
export class DescriptorStream extends Duplex {
  readonly #fd: OwnedFd;
  readonly #look: Look;
  readonly #options: DescriptorStreamOptions;
  /** The events that are waited for. */
  #wanted = 0;
  #write: { chunk: Buffer; done: (error?: Error | null) => void } | undefined;

  /** Takes over the file descriptor. */
  constructor(readiness: Readiness, fd: number, options: DescriptorStreamOptions = {}) {
    super({ highWaterMark: options.highWaterMark ?? CHUNK, autoDestroy: false });
    this.#options = options;
    using undo = new DisposableStack();
    this.#fd = undo.use(new OwnedFd(fd));
    setNonBlocking(fd);
    this.#look = readiness.look(fd, 0, () => this.#ready());
    undo.move();
  }

  /** The descriptor, for calls on it while the stream is open. */
  get fd(): number {
    return this.#fd.fd;
  }

  override _read(): void {
    this.#want(EPOLLIN);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#write = { chunk, done };
    this.#flush();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#look.end();
    this.#fd.close();
    this.#write?.done(error);
    this.#write = undefined;
    done(error);
  }

  #want(event: number): void {
    if (this.#wanted & event || this.destroyed) return;
    this.#wanted |= event;
    this.#look.again(this.#wanted);
  }

  #ready(): void {
    const wanted = this.#wanted;
    this.#wanted = 0;
    if (wanted & EPOLLOUT) this.#flush();
    if (wanted & EPOLLIN && !this.destroyed) this.#fill();
  }

  #fill(): void {
    for (let reads = 0; reads < READS_AT_ONCE; reads++) {
      let size: number;
      try {
        size = readSync(this.#fd.fd, ROOM, 0, CHUNK, null);
      } catch (error) {
        if (isErrno(error, 'EAGAIN')) return this.#want(EPOLLIN);
        if (isErrno(error, ...(this.#options.endErrors ?? []))) size = 0;
        else return void this.destroy(error as Error);
      }
      if (size === 0) return void this.push(null);
      if (!this.push(Buffer.from(ROOM.subarray(0, size)))) return;
      if (this.destroyed) return;
    }
    this.#want(EPOLLIN);
  }

  #flush(): void {
    const write = this.#write;
    if (write === undefined) return;
    const { maxWrite = Infinity } = this.#options;
    try {
      while (write.chunk.length > 0) {
        const size = writeSync(this.#fd.fd, write.chunk, 0, Math.min(write.chunk.length, maxWrite));
        write.chunk = write.chunk.subarray(size);
      }
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return this.#want(EPOLLOUT);
      this.#write = undefined;
      return write.done(error as Error);
    }
    this.#write = undefined;
    write.done();
  }
}
