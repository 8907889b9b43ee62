/**
 * Measures Berth beside Debian's containerd, with runc and with crun, in one run on one machine: see `options.ts`
 * for the command line, `targets.ts` for what is promised.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../ground/fault.ts';
import { measureConcurrency, AT_ONCE } from './concurrency.ts';
import { closeEnclosures } from './enclosure.ts';
import { storeHugeImage, storeLargeImage, storeManyImages, storeSmallImages } from './images.ts';
import { measureLifecycle } from './lifecycle.ts';
import { measureLongList } from './long-list.ts';
import { measureCrowd } from './memory.ts';
import { measureNetwork } from './network.ts';
import { missingTools, versionsOf } from './needs.ts';
import { readOptions, USAGE, type BenchOptions } from './options.ts';
import { OwnGround } from './own-ground.ts';
import { startBerth } from './peers/berth.ts';
import { startContainerd } from './peers/containerd.ts';
import type { Node, Peer, StartNode } from './peers/peer.ts';
import { pullImage } from './pod.ts';
import { note } from './progress.ts';
import { measurePullBounds } from './pull-bounds.ts';
import { measurePulls } from './pull.ts';
import type { Results } from './results.ts';
import { buildRelease, measureStarts } from './start.ts';
import { measureStreaming } from './streaming.ts';
import { renderResults, renderVerdicts } from './table.ts';
import { verdicts } from './targets.ts';

/** Runs the parts that were asked for and returns what they found. */
async function measure(options: BenchOptions, ground: OwnGround): Promise<Results> {
  const results: Results = {
    date: new Date().toISOString(),
    machine: {
      cpus: availableParallelism(),
      cpu: cpus()[0]?.model ?? 'unknown',
      kernel: release(),
      memoryMiB: Math.round(totalmem() / 1024 / 1024),
      versions: versionsOf(),
    },
    pods: options.pods,
  };
  const store = join(ground.directory, 'store');
  mkdirSync(store);
  storeSmallImages(store);
  const fresh = (name: string, start: StartNode): Promise<Node> => {
    const place = ground.place(name);
    return start(place.directory, place.cgroup, store);
  };
  await startOnce(() => fresh('berth-first', startBerth));
  const { parts } = options;
  if (parts.has('lifecycle') || parts.has('concurrency')) {
    const berth = await fresh('berth', startBerth);
    const containerd = await fresh('containerd', startContainerd);
    const peers: Peer[] = [
      { name: 'berth crun', node: berth, handler: 'crun' },
      { name: 'containerd runc', node: containerd, handler: 'runc' },
      { name: 'containerd crun', node: containerd, handler: 'crun' },
    ];
    for (const node of [berth, containerd]) await pullImage(node);
    if (parts.has('lifecycle')) results.lifecycle = await measureLifecycle(peers, options.pods);
    if (parts.has('concurrency')) {
      const seconds = await measureConcurrency(peers, options.lives);
      results.concurrency = { lives: options.lives, atOnce: AT_ONCE, seconds };
    }
    for (const node of [berth, containerd]) await node.close();
  }
  if (parts.has('memory')) {
    results.crowd = {};
    for (const [name, start, handler] of [
      ['berth crun', startBerth, 'crun'],
      ['containerd runc', startContainerd, 'runc'],
    ] as const) {
      const node = await fresh(name.replace(' ', '-'), start);
      await pullImage(node);
      results.crowd[name] = await measureCrowd({ name, node, handler }, options.crowd);
      await node.close();
    }
  }
  if (parts.has('lists')) {
    const node = await fresh('berth-lists', startBerth);
    await pullImage(node);
    results.longList = await measureLongList({ name: 'berth crun', node, handler: 'crun' });
    await node.close();
  }
  if (parts.has('pull')) {
    note('pull: building the large image');
    storeLargeImage(store, options.large, ['gzip', 'zstd']);
    const pullers = [
      { name: 'berth', start: () => fresh('berth-pull', startBerth) },
      { name: 'containerd', start: () => fresh('containerd-pull', startContainerd) },
    ];
    results.pulls = await measurePulls(pullers, ['gzip', 'zstd'], options.pullRounds);
    note('pull: building the huge image and the many small ones');
    storeHugeImage(store, options.hugeBytes);
    storeManyImages(store);
    const node = await fresh('berth-bounds', startBerth);
    results.pullBounds = await measurePullBounds(node, 'gzip');
    await node.close();
  }
  if (parts.has('network'))
    results.network = await measureNetwork(options.pods, options.networkCrowd, options.foreignRules);
  if (parts.has('streaming')) {
    const node = await fresh('berth-streaming', startBerth);
    await pullImage(node);
    results.streaming = await measureStreaming(node, options.streamRounds);
    await node.close();
  }
  if (parts.has('start')) {
    const release = await buildRelease(join(ground.directory, 'release'));
    const starters = [
      {
        name: 'berth, release',
        start: () => fresh('start', (...where) => startBerth(...where, release)),
      },
      { name: 'berth, sources', start: () => fresh('start', startBerth) },
      { name: 'containerd', start: () => fresh('start', startContainerd) },
    ];
    results.starts = await measureStarts(starters, options.startRounds);
  }
  return results;
}

/** The first start after an installation compiles the program for all later ones; the peer comes compiled. */
async function startOnce(start: () => Promise<Node>): Promise<void> {
  note('a first start, not measured');
  const node = await start();
  await pullImage(node);
  await node.close();
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), tmpdir());
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const missing = missingTools();
  if (missing.length > 0) throw new Error(missing.join('\n'));
  const ground = OwnGround.open();
  let left: Promise<void> | undefined;
  const leave = (): Promise<void> => (left ??= closeEnclosures().finally(() => ground.close()));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      note(`${signal}: the run is over`);
      void leave().finally(() => process.exit(130));
    });
  try {
    const results = await measure(options, ground);
    const judged = verdicts(results);
    writeFileSync(options.json, `${JSON.stringify({ ...results, verdicts: judged }, undefined, 1)}\n`);
    console.log(`${renderResults(results)}\n\n${renderVerdicts(judged)}\n\nfigures: ${options.json}`);
    return 0;
  } finally {
    note('cleaning up');
    await leave();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${messageOf(error)}`);
  process.exitCode = 1;
}
