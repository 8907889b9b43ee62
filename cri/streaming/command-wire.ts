import type { Readable, Writable } from 'node:stream';
import type { CommandProtocol } from './protocols.ts';
import { ResizeReader } from './resize.ts';

/** A client of a remote command, whatever carries its streams. Streams that were not asked for are undefined. */
export interface CommandWire {
  readonly protocol: CommandProtocol;
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** For the status at the end. */
  readonly error: Writable;
  readonly sizes: TerminalSizes;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
  /** Closes what is open to the client and lets it leave. Resolves when it has. */
  finish(): Promise<void>;
}

/** Sizes of a terminal on their way from a client that is there to a command that may not be yet. */
export class TerminalSizes {
  readonly #reader = new ResizeReader((columns, rows) => {
    this.#last = [columns, rows];
    this.#listener?.(columns, rows);
  });
  #last: [columns: number, rows: number] | undefined;
  #listener: ((columns: number, rows: number) => void) | undefined;

  /** Takes bytes of the resize stream. */
  read(bytes: Uint8Array): void {
    this.#reader.read(bytes);
  }

  /** Tells the size that came last, at once, and all that come. */
  listen(listener: (columns: number, rows: number) => void): void {
    this.#listener = listener;
    if (this.#last !== undefined) listener(...this.#last);
  }
}
