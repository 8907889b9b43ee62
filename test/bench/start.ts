import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../cri/client.ts';
import type { Node } from './peers/peer.ts';
import { note } from './progress.ts';
import { quantiles, type Quantiles } from './quantiles.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
/** Long enough for a daemon to give back what only its start needed. */
const REST_MS = 9_000;

/** One way to run a daemon. */
export interface Starter {
  name: string;
  start(): Promise<Node>;
}

export interface StartFigures {
  /** Milliseconds from the start of the program until its socket has answered Version. */
  ms: Quantiles;
  /** Resident memory of the daemon at rest, without pods, in MiB; and the part that is its own. */
  residentMiB: number;
  anonymousMiB: number;
}

/** By name of the starter. */
export type Starts = Record<string, StartFigures>;

/** Builds the release into `directory` and resolves to the path of its program. */
export async function buildRelease(directory: string): Promise<string> {
  note('start: building the release');
  const argv = ['deploy/dist/dist.ts', '--arch', process.arch, '--no-image', '--keep', '--out', directory];
  await promisify(execFile)(process.execPath, argv, { cwd: REPOSITORY });
  return join(directory, `stage-${process.arch}`, 'bin/berth');
}

/** Starts each daemon `rounds` times on a fresh node, by turns; after the last time it is weighed at rest. */
export async function measureStarts(starters: Starter[], rounds: number): Promise<Starts> {
  const samples = new Map<string, number[]>(starters.map(({ name }) => [name, []]));
  const starts: Starts = {};
  for (let round = 1; round <= rounds; round++)
    for (const { name, start } of starters) {
      const node = await start();
      const cri = new Client(node.socket);
      try {
        await cri.call('Version', {});
        samples.get(name)!.push(performance.now() - node.spawnedAt);
        if (round < rounds) continue;
        await sleep(REST_MS);
        starts[name] = { ms: quantiles(samples.get(name)!), ...residentOf(node.daemon) };
        const { ms, residentMiB } = starts[name];
        note(`start: ${name} ${ms.p50.toFixed(0)} ms, ${residentMiB.toFixed(1)} MiB at rest`);
      } finally {
        cri.close();
        await node.close();
      }
    }
  return starts;
}

function residentOf(pid: number): { residentMiB: number; anonymousMiB: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const of = (key: string): number => Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text)![1]) / 1024;
  return { residentMiB: of('Rss'), anonymousMiB: of('Anonymous') };
}
