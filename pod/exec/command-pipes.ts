import { Socket } from 'node:net';
import { closeFd, growPipe, memfd, OwnedFd, pipe2 } from '../../native/fd.ts';
import type { ExecRequest } from '../streams.ts';
import { CommandInput } from './command-input.ts';
import { CommandOutput } from './command-output.ts';
import type { CommandStreams } from './command-streams.ts';

/** Sixteen times the kernel's own size: a command that writes much and the daemon run side by side. */
const PIPE_BYTES = 1024 * 1024;

/**
 * Pipes for the streams that were asked for. A command that nobody feeds reads an empty file; what nobody wants to
 * read is read and dropped. (Not the node's /dev/null: a command's user becomes the owner of its outputs.)
 */
export class CommandPipes implements CommandStreams {
  readonly theirs: readonly [number, number, number];
  readonly stdin: CommandInput | undefined;
  readonly stdout: CommandOutput | undefined;
  readonly stderr: CommandOutput | undefined;
  readonly #outputs: readonly CommandOutput[];
  readonly #theirs: DisposableStack;

  constructor(request: Omit<ExecRequest, 'command' | 'tty'>) {
    using undo = new DisposableStack();
    const theirs = undo.use(new DisposableStack());
    const own = (fd: number): number => theirs.use(new OwnedFd(fd)).fd;
    const output = (): [number, number] => {
      const [read, write] = pipe2();
      undo.defer(() => closeFd(read));
      growPipe(read, PIPE_BYTES);
      return [read, own(write)];
    };
    const [out, theirOut] = output();
    const [err, theirErr] = output();
    const [theirIn, input] = request.stdin ? pipe2() : [memfd('stdin'), undefined];
    own(theirIn);
    if (input !== undefined) growPipe(input, PIPE_BYTES);
    undo.move();
    this.theirs = [theirIn, theirOut, theirErr];
    this.#theirs = theirs;
    if (input !== undefined)
      this.stdin = new CommandInput(new Socket({ fd: input, readable: false, writable: true }), true);
    const outputs = [CommandOutput.ofPipe(out), CommandOutput.ofPipe(err)] as const;
    this.#outputs = outputs;
    if (request.stdout) this.stdout = outputs[0];
    else outputs[0].destroy();
    if (request.stderr) this.stderr = outputs[1];
    else outputs[1].destroy();
  }

  closeTheirs(): void {
    this.#theirs.dispose();
  }

  open(): void {}

  resize(): void {}

  finish(graceMs: number): void {
    this.stdin?.close();
    for (const output of this.#outputs) output.finish(graceMs);
  }

  destroy(): void {
    this.closeTheirs();
    this.stdin?.destroy();
    for (const output of this.#outputs) output.destroy();
  }
}
