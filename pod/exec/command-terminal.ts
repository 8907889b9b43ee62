import type { Readable, Writable } from 'node:stream';
import { Fault } from '../../ground/fault.ts';
import { DescriptorStream } from '../../native/descriptor-stream.ts';
import { closeFd } from '../../native/fd.ts';
import { isPtyMaster, resizePty } from '../../native/pty.ts';
import type { Readiness } from '../../native/readiness.ts';
import type { ExecRequest } from '../streams.ts';
import { CommandInput } from './command-input.ts';
import { CommandOutput } from './command-output.ts';
import type { CommandStreams } from './command-streams.ts';

/** How the master of a terminal comes out of the container. */
export interface TerminalDoor extends Disposable {
  /** What the command, or who takes it in, is started with. */
  readonly theirs: readonly [number, number, number];
  closeTheirs(): void;
  /** The descriptor that was sent; undefined when none was. It is the caller's then. */
  receive(): number | undefined;
}

/**
 * A terminal that was made inside the container (so that the command finds it there: tty(1), /dev/pts), its master
 * handed to the daemon. Input and output are two streams: to end one leaves the other.
 */
export class CommandTerminal implements CommandStreams {
  readonly stderr = undefined;
  stdin: Writable | undefined;
  stdout: Readable | undefined;
  readonly #readiness: Readiness;
  readonly #door: TerminalDoor;
  readonly #request: ExecRequest;
  #master: DescriptorStream | undefined;
  #output: CommandOutput | undefined;

  /** Takes over the door. */
  constructor(readiness: Readiness, door: TerminalDoor, request: ExecRequest) {
    this.#readiness = readiness;
    this.#door = door;
    this.#request = request;
  }

  get theirs(): readonly [number, number, number] {
    return this.#door.theirs;
  }

  closeTheirs(): void {
    this.#door.closeTheirs();
  }

  open(): void {
    const fd = this.#door.receive();
    this.#door[Symbol.dispose]();
    if (fd === undefined) throw new Fault('internal', "The command's terminal has not arrived");
    if (!isPtyMaster(fd)) {
      closeFd(fd);
      throw new Fault('internal', "What the container gave as the command's terminal is none");
    }
    // EIO: nobody has the terminal open any more.
    const master = new DescriptorStream(this.#readiness, fd, { endErrors: ['EIO'] });
    this.#master = master;
    const output = new CommandOutput({ fd, stream: master, terminal: true });
    this.#output = output;
    // Whoever still has it open is hung up, as when a line is closed.
    output.once('close', () => this.#closeWhenOver());
    if (this.#request.stdin) this.stdin = new CommandInput(master, false);
    if (this.#request.stdout) this.stdout = output;
    else output.destroy();
  }

  resize(columns: number, rows: number): void {
    if (this.#master?.destroyed === false) resizePty(this.#master.fd, columns, rows);
  }

  finish(graceMs: number): void {
    this.#finished = true;
    this.#output?.finish(graceMs);
    this.#closeWhenOver();
  }

  destroy(): void {
    this.#door[Symbol.dispose]();
    this.#output?.destroy();
    this.#master?.destroy();
  }

  #finished = false;

  #closeWhenOver(): void {
    if (this.#finished && this.#output?.destroyed !== false) this.#master?.destroy();
  }
}
