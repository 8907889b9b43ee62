import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../pods.ts';
import type { TestNode } from '../node.ts';
import { quantile } from './book.ts';

/** What a daemon weighs at the end of a phase. Memory in MiB. */
export interface Weight {
  pss: number;
  rss: number;
  heap: number;
  fds: number;
  threads: number;
}

const SAMPLE_MS = 1_000;
const MIB = 2 ** 20;

/** The environment that puts the heap's probe into a daemon. */
export function probeEnvironment(directory: string): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=file://${join(import.meta.dirname, 'heap-probe.ts')}`,
    BERTH_HEAP_FILE: join(directory, 'heap.json'),
  };
}

/** Weighs a node's daemon while it works: descriptors and threads all the time, memory at the end of a phase. */
export class DaemonScales {
  readonly #node: TestNode;
  readonly #heapFile: string;
  #timer: NodeJS.Timeout | undefined;
  #fds: number[] = [];
  #threads: number[] = [];

  constructor(node: TestNode, heapFile: string) {
    this.#node = node;
    this.#heapFile = heapFile;
  }

  start(): void {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The phase that ends now: medians of what was counted in it, memory after a garbage collection. */
  async weigh(): Promise<Weight> {
    this.#sample();
    const heap = await this.#heap();
    const pid = this.#node.pid;
    const [fds, threads] = [quantile(this.#fds, 0.5), quantile(this.#threads, 0.5)];
    this.#fds = [];
    this.#threads = [];
    return { pss: kibOf(pid, 'Pss') / 1024, rss: kibOf(pid, 'Rss') / 1024, heap, fds, threads };
  }

  #sample(): void {
    const pid = this.#node.daemonPid;
    if (pid === undefined) return;
    this.#fds.push(readdirSync(`/proc/${pid}/fd`).length);
    this.#threads.push(readdirSync(`/proc/${pid}/task`).length);
  }

  async #heap(): Promise<number> {
    rmSync(this.#heapFile, { force: true });
    process.kill(this.#node.pid, 'SIGUSR2');
    await eventually('the daemon has collected its garbage', 20_000, () =>
      existsSync(this.#heapFile) ? true : undefined,
    );
    const { heapUsed, external } = JSON.parse(readFileSync(this.#heapFile, 'utf8')) as Record<string, number>;
    return (heapUsed! + external!) / MIB;
  }
}

function kibOf(pid: number, key: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  return Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}
