import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../pods.ts';
import type { TestNode } from '../node.ts';
import { quantile } from './book.ts';

/** What a daemon weighs at the end of a phase. Memory in MiB. */
export interface Weight {
  pss: number;
  rss: number;
  /** What the program holds: heap and buffers. */
  heap: number;
  /** What V8 has made of the program: bytecode and machine code. It grows as rare ways become warm, and has an end. */
  code: number;
  fds: number;
  threads: number;
}

const SAMPLE_MS = 1_000;
const LOOKS = 6;
const BETWEEN_LOOKS_MS = 400;
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

  /**
   * The phase that ends now: medians of what was counted in it, and the least memory of several looks, each after a
   * garbage collection. What calls that are under way hold for a moment is no growth.
   */
  async weigh(): Promise<Weight> {
    this.#sample();
    const looks: Pick<Weight, 'heap' | 'code' | 'pss' | 'rss'>[] = [];
    for (let look = 0; look < LOOKS; look++) {
      if (look > 0) await sleep(BETWEEN_LOOKS_MS);
      const { heap, code } = await heapAndCodeOf(this.#node, this.#heapFile);
      const pid = this.#node.pid;
      looks.push({ heap, code, pss: kibOf(pid, 'Pss') / 1024, rss: kibOf(pid, 'Rss') / 1024 });
    }
    const least = (key: 'heap' | 'code' | 'pss' | 'rss'): number =>
      Math.min(...looks.map((look) => look[key]));
    const [fds, threads] = [quantile(this.#fds, 0.5), quantile(this.#threads, 0.5)];
    this.#fds = [];
    this.#threads = [];
    return { heap: least('heap'), code: least('code'), pss: least('pss'), rss: least('rss'), fds, threads };
  }

  #sample(): void {
    const pid = this.#node.daemonPid;
    if (pid === undefined) return;
    this.#fds.push(readdirSync(`/proc/${pid}/fd`).length);
    this.#threads.push(readdirSync(`/proc/${pid}/task`).length);
  }
}

/**
 * Heap and buffers of a node's daemon in MiB, after a garbage collection, with the code. It has to have been started
 * with `probeEnvironment`, which names the file.
 */
export async function heapOf(node: TestNode, heapFile: string): Promise<number> {
  const { heap, code } = await heapAndCodeOf(node, heapFile);
  return heap + code;
}

async function heapAndCodeOf(node: TestNode, heapFile: string): Promise<Pick<Weight, 'heap' | 'code'>> {
  rmSync(heapFile, { force: true });
  process.kill(node.pid, 'SIGUSR2');
  await eventually('the daemon has collected its garbage', 20_000, () =>
    existsSync(heapFile) ? true : undefined,
  );
  const { heapUsed, external, code } = JSON.parse(readFileSync(heapFile, 'utf8')) as Record<string, number>;
  return { heap: (heapUsed! + external! - code!) / MIB, code: code! / MIB };
}

function kibOf(pid: number, key: string): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  return Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}
