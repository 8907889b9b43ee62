import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Quantiles, quantiles } from './quantiles.ts';
import { note } from './progress.ts';

/** The same CNI list by Berth's plugins in its process, and by the reference plugins as programs. */
export type Way = 'in process' | 'by exec';

/** Milliseconds. */
export interface NetworkTimes {
  cases: Record<string, Record<Way, { attach: number[]; detach: number[]; cpu: number[] }>>;
  /** Attach of many pods at once, with masquerade and a host port each. */
  crowd: Partial<Record<Way, number[]>>;
  /** Attach in process without host port, before and after that many foreign rules were loaded. */
  foreign: { rules: number; before: number[]; after: number[] };
}

export interface NetworkFigures {
  /** `cpu`: mean of an attach's CPU time, children included, which are counted in steps of 10 ms. */
  cases: Record<string, Record<Way, { attach: Quantiles; detach: Quantiles; cpu: number }>>;
  crowd: Record<Way, Quantiles & { p99: number }>;
  foreign: { rules: number; before: Quantiles; after: Quantiles };
}

const WORKER = fileURLToPath(new URL('./network-worker.ts', import.meta.url));
const SCRIPT = 'ip link set lo up && mount -t tmpfs run /run && exec "$@"';

/** Measures in namespaces of its own. Rejects when an attach fails. */
export async function measureNetwork(
  rounds: number,
  crowd: number,
  foreign: number,
): Promise<NetworkFigures> {
  note('network: attach and detach, both ways');
  const output = join(tmpdir(), `berth-bench-network-${process.pid}.json`);
  const worker = [process.execPath, WORKER, rounds, crowd, foreign, output].map(String);
  const child = spawn(
    'unshare',
    ['-m', '-n', '--propagation', 'private', 'sh', '-c', SCRIPT, 'sh', ...worker],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`The part network ended with code ${code}`);
    return figures(JSON.parse(readFileSync(output, 'utf8')) as NetworkTimes);
  } finally {
    rmSync(output, { force: true });
  }
}

function figures({ cases, crowd, foreign }: NetworkTimes): NetworkFigures {
  const ways = <T, U>(of: Record<Way, T>, map: (value: T) => U): Record<Way, U> => ({
    'in process': map(of['in process']),
    'by exec': map(of['by exec']),
  });
  const tail = (values: number[]): Quantiles & { p99: number } => ({
    ...quantiles(values),
    p99: values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!,
  });
  return {
    cases: Object.fromEntries(
      Object.entries(cases).map(([name, both]) => [
        name,
        ways(both, ({ attach, detach, cpu }) => ({
          attach: quantiles(attach),
          detach: quantiles(detach),
          cpu: cpu.reduce((sum, each) => sum + each, 0) / cpu.length,
        })),
      ]),
    ),
    crowd: ways(crowd as Record<Way, number[]>, tail),
    foreign: { rules: foreign.rules, before: quantiles(foreign.before), after: quantiles(foreign.after) },
  };
}
