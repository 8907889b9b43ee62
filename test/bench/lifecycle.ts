import { Client } from '../../cri/client.ts';
import { sleep } from '../../ground/wait.ts';
import { CALLS, execTrue, removePod, startPod, stopwatch, type Call, type LifeTimes } from './pod.ts';
import type { Peer } from './peers/peer.ts';
import { note } from './progress.ts';
import { quantiles, type Quantiles } from './quantiles.ts';

/** The single calls, and the sums that a person waits for. */
export type LifeMeasure = Call | 'pod start' | 'pod stop and remove';

export const LIFE_MEASURES: LifeMeasure[] = [
  ...CALLS.slice(0, 3),
  'pod start',
  ...CALLS.slice(3),
  'pod stop and remove',
];

/** Milliseconds, by peer and measure. */
export type Lifecycle = Record<string, Record<LifeMeasure, Quantiles>>;

const WARM_UP = 3;
/** The kernel takes network namespaces apart in the background: no peer pays for the pod of the one before it. */
const SETTLE_MS = 150;

/** One pod after the other from birth to removal, the peers taking turns; who begins changes each round. */
export async function measureLifecycle(peers: Peer[], pods: number): Promise<Lifecycle> {
  const lives = new Map<Peer, LifeTimes[]>(peers.map((peer) => [peer, []]));
  const clients = new Map(peers.map((peer) => [peer, new Client(peer.node.socket)]));
  try {
    for (let round = 0; round < WARM_UP + pods; round++) {
      for (let turn = 0; turn < peers.length; turn++) {
        const peer = peers[(round + turn) % peers.length]!;
        await sleep(SETTLE_MS);
        const life = await oneLife(peer, clients.get(peer)!);
        if (round >= WARM_UP) lives.get(peer)!.push(life);
      }
      if ((round + 1) % 10 === 0) note(`lifecycle: ${round + 1} of ${WARM_UP + pods} rounds`);
    }
  } finally {
    for (const client of clients.values()) client.close();
  }
  return Object.fromEntries(peers.map((peer) => [peer.name, summary(lives.get(peer)!)]));
}

/** One pod from birth to removal, with its exec. */
export async function oneLife(peer: Peer, cri: Client): Promise<LifeTimes> {
  const times: Partial<LifeTimes> = {};
  const time = stopwatch(times);
  const pod = await startPod(peer, cri, time);
  await execTrue(cri, pod, time);
  await removePod(cri, pod, time);
  return times as LifeTimes;
}

function summary(lives: LifeTimes[]): Record<LifeMeasure, Quantiles> {
  const of = (calls: readonly Call[]): Quantiles =>
    quantiles(lives.map((life) => calls.reduce((sum, call) => sum + life[call], 0)));
  const rows = LIFE_MEASURES.map((measure) => {
    if (measure === 'pod start') return [measure, of(CALLS.slice(0, 3))];
    if (measure === 'pod stop and remove') return [measure, of(CALLS.slice(4))];
    return [measure, of([measure])];
  });
  return Object.fromEntries(rows) as Record<LifeMeasure, Quantiles>;
}
