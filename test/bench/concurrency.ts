import { Limit } from '../../ground/limit.ts';
import { Client } from '../../cri/client.ts';
import { oneLife } from './lifecycle.ts';
import type { Peer } from './peers/peer.ts';
import { note } from './progress.ts';

/** Seconds of wall time until `pods` whole lives are over, at most `AT_ONCE` at a time, by peer. */
export type Concurrency = Record<string, number>;

export const AT_ONCE = 10;

/** Whole pod lives at concurrency; the peers one after the other, because each takes the whole machine. */
export async function measureConcurrency(peers: Peer[], pods: number): Promise<Concurrency> {
  const seconds: Concurrency = {};
  for (const peer of peers) {
    const cri = new Client(peer.node.socket);
    try {
      const begin = performance.now();
      await atOnce(pods, () => oneLife(peer, cri));
      seconds[peer.name] = (performance.now() - begin) / 1000;
      note(`concurrency: ${peer.name} ${seconds[peer.name]!.toFixed(1)} s`);
    } finally {
      cri.close();
    }
  }
  return seconds;
}

/** Runs `work` `count` times, at most `AT_ONCE` at a time. Rejects when all are over and one of them failed. */
export async function atOnce<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const limit = new Limit(AT_ONCE);
  const all = await Promise.allSettled(Array.from({ length: count }, () => limit.run(work)));
  return all.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}
