import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pendingBytes } from '../../native/fd.ts';
import { sendFromPipe } from '../../native/splice.ts';
import type { Borrower, LendingReadable } from '../streams.ts';

const CHUNK = 64 * 1024;
/** Of one read from a pipe. Only as much of it is memory as was ever read at once. */
const ROOM = 128 * 1024;
/** Less than this is read with what comes behind it. */
const WORTH_MOVING = 32 * 1024;
const MOVES_AT_ONCE = 8;

/** Where a command's output comes from. */
export interface OutputSource {
  /** The descriptor that `stream` reads. */
  fd: number;
  stream: Readable;
  /**
   * A terminal: what was written to it may still be on its way through the kernel, so the time after the command's end
   * counts from the last byte. (Nobody else can write to it then: it is hung up.)
   */
  terminal: boolean;
}

/**
 * A command's output. While nobody reads from it, the pipe fills and the command waits. It ends when the last writer
 * has closed the pipe, or, after `finish`, when all that the command wrote has been read: a child of it that holds the
 * pipe does not hold the caller (containerd#9568). From then on, and when the reader has left, everything is read and
 * dropped, so that no process in the container waits for ever or dies of SIGPIPE.
 */
export class CommandOutput extends Readable implements LendingReadable {
  readonly #source: OutputSource;
  readonly #stream: Readable;
  /** Bytes that the command wrote and that were not read yet at its end; undefined while it runs. */
  #left: number | undefined;
  #graceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropping = false;
  /** Nothing more can come. */
  #over = false;
  #borrower: Borrower | undefined;
  /** Gives back what is lent; a lender has one buffer, so there is one loan at a time. */
  readonly #giveBack = (): void => {
    this.#lent = false;
    if (!this.destroyed) this.#stream.resume();
  };
  #lent = false;

  constructor(source: OutputSource) {
    super({ highWaterMark: CHUNK });
    this.#source = source;
    this.#stream = source.stream;
    // Nothing is read before somebody asks for it: what is read and not asked for could not be lent.
    this.#stream.pause();
    if (source.terminal) this.#stream.on('data', (chunk: Buffer) => this.#take(chunk));
    for (const event of ['end', 'close'] as const) this.#stream.on(event, () => this.#end());
    // A pipe has no errors but those of its descriptor.
    this.#stream.on('error', () => this.#end());
  }

  /** The output that comes out of this pipe, which it takes over. */
  static ofPipe(fd: number): CommandOutput {
    const onread = {
      buffer: Buffer.allocUnsafeSlow(ROOM),
      callback: (size: number, bytes: Buffer): boolean => {
        output.#take(bytes.subarray(0, size));
        return true;
      },
    };
    const stream = new Socket({ fd, readable: true, writable: false, onread });
    const output: CommandOutput = new CommandOutput({ fd, stream, terminal: false });
    return output;
  }

  lend(borrower: Borrower): void {
    this.#borrower = borrower;
    this.resume();
    this.#stream.resume();
  }

  /**
   * The command has ended: what it wrote is still read, in the reader's time; then `graceMs` are left for what its
   * children write.
   */
  finish(graceMs: number): void {
    if (this.#over || this.#left !== undefined) return;
    this.#graceMs = graceMs;
    const { fd, stream } = this.#source;
    this.#left = stream.destroyed ? 0 : stream.readableLength + pendingBytes(fd);
    if (this.#left <= 0) this.#startGrace();
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#drop();
    done(error);
  }

  #take(chunk: Buffer): void {
    if (this.#dropping) return;
    if (!this.#pass(chunk)) this.#stream.pause();
    this.#count(chunk.length);
    if (this.#borrower?.move !== undefined && !this.#source.terminal) this.#move();
  }

  /** False when no more can be taken now. */
  #pass(chunk: Buffer): boolean {
    if (this.#borrower !== undefined) {
      this.#lent = true;
      this.#borrower.take(chunk, this.#giveBack);
      return !this.#lent;
    }
    return this.push(this.#source.terminal ? chunk : Buffer.from(chunk));
  }

  /** Where there is more behind what was read, it need not be read. */
  #move(): void {
    for (let moves = 0; moves < MOVES_AT_ONCE; moves++) {
      if (this.#lent || this.#dropping || this.#over || !this.#moveOnce()) return;
    }
    // Others have their turn.
    this.#stream.pause();
    setImmediate(() => {
      if (this.#lent || this.#dropping || this.#over) return;
      this.#stream.resume();
      this.#move();
    });
  }

  #moveOnce(): boolean {
    const { fd } = this.#source;
    const length = Math.min(pendingBytes(fd), this.#left ?? Infinity);
    if (length < WORTH_MOVING) return false;
    this.#lent = true;
    const moved = this.#borrower!.move!(
      {
        length,
        sendTo: (socket, head, size, done, more) => sendFromPipe(socket, head, fd, size, done, more),
      },
      this.#giveBack,
    );
    if (moved === 0) this.#lent = false;
    else if (this.#lent) this.#stream.pause();
    this.#count(moved);
    return moved > 0;
  }

  #count(size: number): void {
    if (this.#left === undefined) return;
    this.#left -= size;
    if (this.#source.terminal) this.#timer?.refresh();
    if (this.#left <= 0) this.#startGrace();
  }

  /** The time is the reader's, too: it only counts while something could be read. */
  #startGrace(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#stream.isPaused()) return this.#startGrace();
      this.push(null);
      this.#drop();
    }, this.#graceMs);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#dropping = true;
    this.#stream.resume();
    if (this.#stream instanceof Socket) this.#stream.unref();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    if (!this.#dropping) this.push(null);
  }
}
