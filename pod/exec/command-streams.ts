import type { Readable, Writable } from 'node:stream';

/** What a command reads and writes: its own ends as descriptors until it has started, ours as streams. */
export interface CommandStreams {
  /** Standard input, output and error, to be started with. */
  readonly theirs: readonly [number, number, number];
  /** Closes the command's ends here; it has its own. Again: does nothing. */
  closeTheirs(): void;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Columns and rows of a terminal; no effect on pipes. */
  resize(columns: number, rows: number): void;
  /** The command has begun: what could only be had from inside its container is there. Throws when it is not. */
  open(): void;
  /** The command has ended: all that it wrote is still read, its children's output for `graceMs` more. */
  finish(graceMs: number): void;
  /** Gives everything back. */
  destroy(): void;
}
