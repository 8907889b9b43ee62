import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const BERTH = join(import.meta.dirname, '../bin/berth');

/** A `berth agent` of its own process. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  output = '';

  /** With the test's environment and `env` on top. */
  constructor(argv: string[], env: Record<string, string>) {
    this.#child = spawn(BERTH, ['agent', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, KUBECONFIG: '', ...env },
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (data: Buffer) => (this.output += data.toString()));
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Its exit code, when it has ended by itself or by `signal`; null: by a signal. */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.#child.kill(signal);
    await this.#ended;
    return this.#child.exitCode;
  }

  /** Proportional set size, in bytes (proc(5), smaps_rollup). */
  get memory(): number {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)![1]) * 1024;
  }
}

/** Runs `berth agent` to its end. Rejects with its output unless it ends well. */
export async function runAgent(argv: string[], env: Record<string, string>): Promise<string> {
  const one = new AgentProcess(argv, env);
  const code = await one.end();
  if (code !== 0) throw new Error(`berth agent ended with ${code}: ${one.output}`);
  return one.output;
}
