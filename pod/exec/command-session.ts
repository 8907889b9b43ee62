import type { Readable, Writable } from 'node:stream';
import type { ExecSession } from '../streams.ts';
import type { StartedCommand } from './started-command.ts';

/** How long after the command's end its output is read on while a child of it holds it. */
const DRAIN_MS = 100;

/** A command that has begun, as its caller holds it. */
export class CommandSession implements ExecSession {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly exited: Promise<number>;
  readonly #started: StartedCommand;
  #over = false;

  constructor(started: StartedCommand) {
    const { streams, exited } = started;
    this.#started = started;
    this.stdin = streams.stdin;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.exited = exited.then(
      ({ code, signal }) => {
        this.#over = true;
        streams.finish(DRAIN_MS);
        return code ?? 128 + (signal ?? 127);
      },
      (error: unknown) => {
        this.#over = true;
        streams.destroy();
        throw error;
      },
    );
  }

  resize(columns: number, rows: number): void {
    if (!this.#over) this.#started.streams.resize(columns, rows);
  }

  kill(): void {
    if (!this.#over) this.#started.kill();
  }
}
