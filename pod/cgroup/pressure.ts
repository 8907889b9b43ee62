import { readText } from './files.ts';

/** How long tasks waited for want of something: all of them at once, or some (psi.rst). */
export interface Pressure {
  full: PressureLine;
  some: PressureLine;
}

export interface PressureLine {
  totalNs: bigint;
  /** Percent of the last 10, 60 and 300 seconds. */
  avg10: number;
  avg60: number;
  avg300: number;
}

const NOTHING: PressureLine = { totalNs: 0n, avg10: 0, avg60: 0, avg300: 0 };

/**
 * The pressure of a cgroup on `cpu`, `memory` or `io`: only v2 keeps it. undefined where the kernel does not, or the
 * cgroup is not there.
 */
export function pressure(
  directory: string | undefined,
  resource: 'cpu' | 'memory' | 'io',
): Pressure | undefined {
  const text = readText(directory, `${resource}.pressure`);
  return text === undefined ? undefined : parsePressure(text);
}

/** The two lines of a pressure file; older kernels have no `full` line for the CPU. */
export function parsePressure(text: string): Pressure {
  const found = { full: NOTHING, some: NOTHING };
  const lines = text.matchAll(/^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/gm);
  for (const [, kind, avg10, avg60, avg300, totalUs] of lines)
    found[kind as 'full' | 'some'] = {
      totalNs: BigInt(totalUs!) * 1000n,
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
    };
  return found;
}
