import { Fault } from '../../ground/fault.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { run } from '../../native/run.ts';
import { findExecutable } from '../../native/spawn.ts';

const CHECK_LIMIT_MS = 30_000;
const MAX_WORDS = 400;

/** Whether criu works on this kernel (`criu check`): asked once, when somebody first wants a checkpoint. */
export class CriuProbe {
  readonly #exits: ExitWatcher;
  #asked: Promise<string | Fault> | undefined;

  constructor(exits: ExitWatcher) {
    this.#exits = exits;
  }

  /** Its path. Throws `precondition` with criu's own words when it does not work. */
  async require(): Promise<string> {
    this.#asked ??= this.#ask();
    const found = await this.#asked;
    if (typeof found === 'string') return found;
    // It may be installed, or repaired, before the next call.
    this.#asked = undefined;
    throw found;
  }

  async #ask(): Promise<string | Fault> {
    const path = findExecutable('criu');
    if (path === undefined)
      return new Fault('precondition', 'Checkpoints are made by criu, which is not installed', {
        hint: 'apt install criu',
      });
    const { code, stdout, stderr } = await run(this.#exits, {
      path,
      argv: ['criu', 'check'],
      timeoutMs: CHECK_LIMIT_MS,
    });
    if (code === 0) return path;
    const words = criuErrors(`${stdout.toString()}\n${stderr.toString()}`) || `it ended with code ${code}`;
    return new Fault('precondition', `criu does not work on this node (criu check): ${words}`, {
      hint: "a newer criu may know this kernel; 'criu check --all' tells more",
    });
  }
}

/** The lines of criu's output or log that say `Error`, in one. */
export function criuErrors(log: string): string {
  return log
    .split('\n')
    .flatMap((line) => /Error \([^)]*\): (.*)$/.exec(line)?.[1] ?? [])
    .join('; ')
    .slice(0, MAX_WORDS);
}
