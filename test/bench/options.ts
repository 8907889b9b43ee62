import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LARGE, type LargeShape } from './images.ts';

export const PARTS = [
  'lifecycle',
  'concurrency',
  'memory',
  'lists',
  'pull',
  'network',
  'streaming',
  'start',
] as const;
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  parts: Set<Part>;
  /** Pods whose calls are timed, a peer. */
  pods: number;
  /** Whole lives at concurrency, a peer. */
  lives: number;
  /** How many pods there are at each weighing of memory. */
  crowd: number[];
  pullRounds: number;
  large: LargeShape;
  /** Bytes of the layer during whose pull memory is watched. */
  hugeBytes: number;
  /** Pods that are attached at once, and foreign rules that must not matter. */
  networkCrowd: number;
  foreignRules: number;
  streamRounds: number;
  startRounds: number;
  json: string;
}

export const USAGE = `npm run bench -- [options]
Berth beside Debian's containerd (with runc, and with crun), each in namespaces of its own. Root.

  --only PARTS   some of ${PARTS.join(',')}
  --pods N       timed pods a peer (default 30, quick 10)
  --crowd N      pods at the last weighing of memory (default 50)
  --quick        fewer rounds and a smaller image: for a look, not for a judgement
  --json FILE    where the figures go (default: berth-bench.json in the temporary directory)
`;

/** Reads the command line. Throws Error with one sentence when it cannot be served; undefined means: show the usage. */
export function readOptions(argv: string[], temporary: string): BenchOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string' },
      pods: { type: 'string' },
      crowd: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  const last = count('--crowd', values.crowd) ?? 50;
  return {
    parts: new Set(values.only === undefined ? PARTS : values.only.split(',').map(partOf)),
    pods: count('--pods', values.pods) ?? (quick ? 10 : 30),
    lives: quick ? 20 : 60,
    crowd: last > 10 ? [0, 10, last] : [0, last],
    pullRounds: quick ? 1 : 3,
    large: quick ? { smallFiles: LARGE.smallFiles / 4, bigFiles: 2 } : LARGE,
    hugeBytes: (quick ? 0.25 : 2) * 2 ** 30,
    networkCrowd: quick ? 40 : 100,
    foreignRules: quick ? 5000 : 50_000,
    streamRounds: quick ? 3 : 9,
    startRounds: quick ? 3 : 11,
    json: values.json ?? join(temporary, 'berth-bench.json'),
  };
}

function count(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`${flag} takes a whole number from 1, not ${text}`);
  return number;
}

function partOf(name: string): Part {
  const part = PARTS.find((known) => known === name);
  if (part === undefined) throw new Error(`There is no part ${name}: known are ${PARTS.join(', ')}`);
  return part;
}
