import type { Compression } from '../image-builder.ts';
import { Client } from '../../cri/client.ts';
import { largeImage } from './images.ts';
import type { Node } from './peers/peer.ts';
import { note } from './progress.ts';
import { quantiles, type Quantiles } from './quantiles.ts';

/** Who pulls, and how to start it with an empty store. */
export interface Puller {
  name: string;
  start(): Promise<Node>;
}

/** Seconds by compression and puller. */
export type Pulls = Partial<Record<Compression, Record<string, Quantiles>>>;

/**
 * Cold pulls of the large image: each into the empty store of a node of its own, the pullers taking turns. The
 * registry's files are in the page cache after the first.
 */
export async function measurePulls(pullers: Puller[], kinds: Compression[], rounds: number): Promise<Pulls> {
  const pulls: Pulls = {};
  for (const compression of kinds) {
    const seconds = new Map<string, number[]>(pullers.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < pullers.length; turn++) {
        const puller = pullers[(round + turn) % pullers.length]!;
        const time = await coldPull(puller, compression);
        seconds.get(puller.name)!.push(time);
        note(`pull: ${puller.name} ${compression} ${time.toFixed(1)} s`);
      }
    }
    pulls[compression] = Object.fromEntries([...seconds].map(([name, times]) => [name, quantiles(times)]));
  }
  return pulls;
}

async function coldPull(puller: Puller, compression: Compression): Promise<number> {
  const node = await puller.start();
  const cri = new Client(node.socket);
  try {
    await cri.call('Version', {});
    const begin = performance.now();
    await cri.call('PullImage', { image: { image: largeImage(compression) } }, { deadlineMs: 300_000 });
    return (performance.now() - begin) / 1000;
  } finally {
    cri.close();
    await node.close();
  }
}
