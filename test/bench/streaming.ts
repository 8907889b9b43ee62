import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '../../cri/client.ts';
import type { Node } from './peers/peer.ts';
import { removePod, startPod, type RunningPod } from './pod.ts';
import { note } from './progress.ts';
import { type Quantiles, quantiles } from './quantiles.ts';

/** How a command's bytes reach who asked for it: the streaming server, or the OCI runtime's own exec and a pipe. */
export const STREAM_WAYS = ['spdy', 'websocket', 'pipe'] as const;
export type StreamWay = (typeof STREAM_WAYS)[number];

export const DIRECTIONS = ['output', 'input'] as const;

/** Seconds for all bytes, and seconds of the daemon's CPU time for a gibibyte. */
export type StreamTimes = Record<StreamWay, { wall: Quantiles; cpu: number }>;

export interface StreamingFigures extends Record<(typeof DIRECTIONS)[number], StreamTimes> {
  mebibytes: number;
}

const WORKER = fileURLToPath(new URL('./stream-worker.ts', import.meta.url));
const BLOCK = 64 * 1024;
/** Ticks a second of /proc/<pid>/stat. */
const TICKS = 100;

/**
 * Output and input of commands through the streaming server beside `crun exec` with a pipe, way by way in each round.
 * Rejects when a byte is missing.
 */
export async function measureStreaming(
  node: Node,
  rounds: number,
  mebibytes = 256,
): Promise<StreamingFigures> {
  using cri = new Client(node.socket);
  const pod = await startPod({ name: 'berth crun', node, handler: 'crun' }, cri);
  const output = await measureDirection('output', { node, cri, pod, rounds, mebibytes });
  const input = await measureDirection('input', { node, cri, pod, rounds, mebibytes });
  await removePod(cri, pod);
  return { mebibytes, output, input };
}

async function measureDirection(
  direction: (typeof DIRECTIONS)[number],
  run: { node: Node; cri: Client; pod: RunningPod; rounds: number; mebibytes: number },
): Promise<StreamTimes> {
  note(`streaming: ${direction}`);
  const { node, cri, pod, rounds } = run;
  const { containerId } = pod;
  const bytes = run.mebibytes * 2 ** 20;
  const dd = ['dd', 'if=/dev/zero', `bs=${BLOCK}`, `count=${bytes / BLOCK}`];
  const stdin = direction === 'input';
  const cmd = stdin ? ['dd', 'of=/dev/null', `bs=${BLOCK}`] : dd;
  const crun = `crun --root ${node.ociState!('crun')} exec ${containerId} ${cmd.join(' ')} 2>/dev/null`;
  const script = stdin ? `${dd.join(' ')} 2>/dev/null | ${crun}` : `${crun} | cat >/dev/null`;
  const taken = { spdy: new Samples(), websocket: new Samples(), pipe: new Samples() };
  for (let round = 0; round <= rounds; round++)
    for (const way of STREAM_WAYS) {
      const request = { containerId, cmd, stdin, stdout: true };
      const target = way === 'pipe' ? script : (await cri.call('Exec', request)).url;
      const before = cpuSeconds(node.daemon);
      const text = await node.run([process.execPath, WORKER, direction, String(bytes), way, target]);
      // The first round warms everything up.
      if (round > 0) taken[way].add(Number(text), cpuSeconds(node.daemon) - before);
    }
  const gibibytes = (rounds * bytes) / 2 ** 30;
  return {
    spdy: taken.spdy.times(gibibytes),
    websocket: taken.websocket.times(gibibytes),
    pipe: taken.pipe.times(gibibytes),
  };
}

class Samples {
  readonly #wall: number[] = [];
  #cpu = 0;

  add(wall: number, cpu: number): void {
    this.#wall.push(wall);
    this.#cpu += cpu;
  }

  times(gibibytes: number): { wall: Quantiles; cpu: number } {
    return { wall: quantiles(this.#wall), cpu: this.#cpu / gibibytes };
  }
}

/** User and system time of all threads (proc(5), fields 14 and 15 of stat). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
