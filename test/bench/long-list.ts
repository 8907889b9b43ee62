import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../cri/client.ts';
import { runSandbox, startContainer } from './pod.ts';
import type { Peer } from './peers/peer.ts';
import { note } from './progress.ts';
import { quantiles, type Quantiles } from './quantiles.ts';

const SANDBOXES = 10;
const EACH = 50;
const LISTS = 200;
const REST_MS = 3_000;

/** Milliseconds of ListContainers with so many containers, one call at a time. */
export interface LongList {
  containers: number;
  ms: Quantiles;
}

/** A node with the remains of many jobs, as a kubelet asks for them each second. */
export async function measureLongList(peer: Peer): Promise<LongList> {
  using cri = new Client(peer.node.socket);
  await Promise.all(
    Array.from({ length: SANDBOXES }, async () => {
      const sandbox = await runSandbox(peer, cri);
      for (let attempt = 0; attempt < EACH; attempt++) await startContainer(cri, sandbox, attempt, ['true']);
    }),
  );
  await sleep(REST_MS);
  const times: number[] = [];
  let containers = 0;
  for (let i = 0; i < 2 * LISTS; i++) {
    const begin = performance.now();
    ({ length: containers } = (await cri.call('ListContainers', {})).containers);
    // The first half compiles the client.
    if (i >= LISTS) times.push(performance.now() - begin);
  }
  const ms = quantiles(times);
  note(`${peer.name}: ${containers} containers are listed in ${ms.p50.toFixed(2)} ms`);
  return { containers, ms };
}
