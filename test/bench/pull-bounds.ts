import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../cri/client.ts';
import type { Compression } from '../image-builder.ts';
import { HUGE_IMAGE, MANY, largeImage, oneOfMany } from './images.ts';
import type { Node } from './peers/peer.ts';
import { note } from './progress.ts';
import { quantiles } from './quantiles.ts';
import { longestStallMs } from './stall.ts';

/** What Berth alone is held to while it pulls. */
export interface PullBounds {
  /** Bytes that came for five callers of one image, as a part of what comes for one. */
  fetchedForFive: number;
  /** The longest stall of the event loop meanwhile, in milliseconds. */
  stallMs: number;
  /** Resident memory at its peak during a pull of a huge layer, less what it was before, in mebibytes. */
  growthMiB: number;
  /** Milliseconds of ListImages with many images. */
  listMs: number;
}

const CALLERS = 5;
const LISTS = 30;
const AT_ONCE = 8;
const DEADLINE = { deadlineMs: 600_000 };
/** A daemon that has just started gives memory back. */
const REST_MS = 6000;

/** Measures on a fresh node. */
export async function measurePullBounds(node: Node, compression: Compression): Promise<PullBounds> {
  using cri = new Client(node.socket);
  const pull = async (image: string): Promise<void> =>
    void (await cri.call('PullImage', { image: { image } }, DEADLINE));
  await page(node); // the delays so far are those of the start
  const fetched = await fetchedBy(node, () =>
    Promise.all(Array.from({ length: CALLERS }, () => pull(largeImage(compression)))),
  );
  const once = await layerBytes(cri, largeImage(compression));
  let stallMs = longestStallMs(await page(node));
  await sleep(REST_MS);
  const before = residentMiB(node.daemon, 'VmRSS');
  // Sets the peak back to what is resident now (proc(5), clear_refs).
  writeFileSync(`/proc/${node.daemon}/clear_refs`, '5');
  await pull(HUGE_IMAGE);
  const growthMiB = residentMiB(node.daemon, 'VmHWM') - before;
  stallMs = Math.max(stallMs, longestStallMs(await page(node)));
  note(`pull: memory grew by ${growthMiB.toFixed(1)} MiB, longest stall ${stallMs.toFixed(1)} ms`);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < MANY) await pull(oneOfMany(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const times: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const begin = performance.now();
    await cri.call('ListImages', {});
    times.push(performance.now() - begin);
  }
  return { fetchedForFive: fetched / once, stallMs, growthMiB, listMs: quantiles(times).p50 };
}

async function fetchedBy(node: Node, work: () => Promise<unknown>): Promise<number> {
  const before = fetchedBytes(await page(node));
  await work();
  return fetchedBytes(await page(node)) - before;
}

function fetchedBytes(text: string): number {
  return Number(/^berth_image_fetched_bytes_total (\S+)$/m.exec(text)?.[1]);
}

/** Bytes of the image's layers: what a pull of it tells when everything is there already. */
async function layerBytes(cri: Client, image: string): Promise<number> {
  await cri.call('RemoveImage', { image: { image } });
  let sum = 0n;
  for await (const { layers } of cri.stream('WatchPull', { image }, DEADLINE))
    sum = layers.reduce((total, { bytesTotal }) => total + bytesTotal, 0n);
  return Number(sum);
}

async function page(node: Node): Promise<string> {
  const text = await node.metrics?.();
  if (text === undefined) throw new Error('This daemon has no metrics');
  return text;
}

function residentMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
}
