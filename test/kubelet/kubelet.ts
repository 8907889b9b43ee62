import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RpcError } from '../../cri/client.ts';
import type { TestNode } from '../node.ts';
import type { Book } from './book.ts';
import { SandboxState } from '../pods.ts';
import type { DesiredPod } from './desired.ts';
import { EventFollower } from './event-follower.ts';
import type { Listing } from './expectations.ts';
import { Garbage } from './garbage.ts';
import { ImageKeeper } from './image-keeper.ts';
import type { Ledger } from './ledger.ts';
import type { KubeletParts } from './parts.ts';
import { Away, type Line } from './line.ts';
import { LogRotation } from './log-files.ts';
import { UID_LABEL } from './pod-status.ts';
import { PodWorker } from './pod-worker.ts';
import { Prober } from './prober.ts';
import { Relist } from './relist.ts';
import { StatsReader } from './stats-reader.ts';

export interface KubeletOptions {
  node: TestNode;
  line: Line;
  book: Book;
  ledger: Ledger;
  /** Of restarts. */
  backOff: { initialMs: number; maxMs: number };
  /** Milliseconds between two looks at the status, at statistics, at logs, and two garbage collections. */
  everyMs: { status: number; stats: number; logs: number; garbage: number };
  /** Images that are never collected. */
  keepImages: string[];
}

const RELIST_MS = 1_000;
/** Ten probes a second. */
const PROBE_MS = 100;

/**
 * A kubelet as its runtime sees it: the calls that it makes, their order and their rhythm. `setPods` says what is
 * wanted; its loops do the rest. It can end at any time and another one goes on with what is there.
 */
export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #parts: KubeletParts;
  readonly #relist: Relist;
  readonly #events: EventFollower;
  readonly #garbage: Garbage;
  readonly #prober: Prober;
  readonly #logs: LogRotation;
  readonly #stats: StatsReader;
  readonly #workers = new Map<string, PodWorker>();
  readonly #stop = new AbortController();
  #loops: Promise<void>[] = [];
  #relists = 0;

  constructor(options: KubeletOptions) {
    this.#options = options;
    const { node, line, book, ledger, backOff } = options;
    this.#parts = {
      node,
      line,
      book,
      ledger,
      backOff,
      images: new ImageKeeper(line, book),
      expectEvent: (id, kind) => this.#events.expect(id, kind),
      killContainer: (uid, id, why) => this.#workers.get(uid)?.kill(id, why),
    };
    this.#events = new EventFollower(node, book, (uid) => this.#workers.get(uid)?.poke());
    this.#relist = new Relist(line, book, ledger, this.#events);
    this.#garbage = new Garbage(this.#parts);
    this.#prober = new Prober(this.#parts);
    this.#logs = new LogRotation(this.#parts);
    this.#stats = new StatsReader(line, book, ledger);
  }

  /** What a kubelet asks when it starts, then its loops. Resolves when they run. */
  async start(): Promise<void> {
    const { line, book, node } = this.#parts;
    mkdirSync(join(node.directory, 'kubelet/log-links'), { recursive: true });
    await this.#version();
    await this.#status();
    const { linux } = await line.call('RuntimeConfig', {});
    if (linux === null) book.complain('RuntimeConfig does not name the cgroup driver', '');
    await line.call('UpdateRuntimeConfig', { runtimeConfig: { networkConfig: { podCidr: '10.88.0.0/16' } } });
    this.#events.start();
    const { status, stats, logs, garbage } = this.#options.everyMs;
    this.#loops = [
      this.#every(RELIST_MS, () => this.#look()),
      this.#every(status, async () => {
        await this.#version();
        await this.#status();
      }),
      this.#every(stats, () => this.#stats.look()),
      this.#every(logs, () => this.#logs.look()),
      this.#every(garbage, () => this.collectGarbage()),
      this.#probes(),
    ];
  }

  /** The pods that are wanted now: new ones are begun, those that are not in it any more are ended. */
  setPods(pods: DesiredPod[]): void {
    const wanted = new Set(pods.map(({ uid }) => uid));
    for (const pod of pods) if (!this.#workers.has(pod.uid)) this.#begin(pod);
    for (const [uid, worker] of this.#workers) if (!wanted.has(uid)) worker.terminate();
  }

  #begin(pod: DesiredPod): PodWorker {
    const worker = new PodWorker(pod, this.#parts);
    this.#parts.ledger.pods.set(pod.uid, pod);
    this.#workers.set(pod.uid, worker);
    worker.start();
    return worker;
  }

  /** Ends a pod within `graceSeconds`, as under pressure. */
  evict(uid: string, graceSeconds: number): void {
    this.#workers.get(uid)?.terminate(graceSeconds);
  }

  worker(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  /** Whether a pod has come to what is wanted of it: over, or each container running or waiting for its back-off. */
  isAsWanted(pod: DesiredPod): boolean {
    const worker = this.#workers.get(pod.uid);
    return worker?.isAsWanted === true;
  }

  /** How often it has listed everything. */
  get relists(): number {
    return this.#relists;
  }

  get workers(): ReadonlyMap<string, PodWorker> {
    return this.#workers;
  }

  /** The kubelet's process ends; pods stay as they are. */
  async end(): Promise<void> {
    this.#stop.abort();
    this.#parts.line.hangUp();
    await Promise.all([
      this.#events.stop(),
      ...this.#loops,
      ...[...this.#workers.values()].map((worker) => worker.stop()),
    ]);
  }

  /** One garbage collection of containers, sandboxes and images. */
  async collectGarbage(): Promise<void> {
    const { listing } = await this.#relist.look();
    await this.#garbage.collect(listing, (uid) => this.#workers.get(uid)?.terminated !== false);
    await this.#parts.images.collect(this.#options.keepImages);
    this.#endUnwanted(listing);
    const left = new Set(listing.sandboxes.map(({ metadata }) => metadata?.uid));
    for (const [uid, worker] of this.#workers)
      if (worker.terminated && !left.has(uid)) {
        this.#workers.delete(uid);
        this.#garbage.forget(worker.pod);
      }
  }

  /** Pods that live although nobody wants them: an earlier kubelet was ending them when it ended itself. */
  #endUnwanted({ sandboxes }: Listing): void {
    for (const { state, labels } of sandboxes) {
      const pod = this.#parts.ledger.pods.get(labels[UID_LABEL] ?? '');
      if (state === SandboxState.READY && pod !== undefined && !this.#workers.has(pod.uid))
        this.#begin(pod).terminate();
    }
  }

  async #look(): Promise<void> {
    const { changed } = await this.#relist.look();
    this.#relists++;
    for (const uid of changed) this.#workers.get(uid)?.poke();
  }

  async #version(): Promise<void> {
    const answer = await this.#parts.line.call('Version', { version: '0.1.0' });
    const { version, runtimeName, runtimeVersion, runtimeApiVersion } = answer;
    if ([version, runtimeName, runtimeVersion, runtimeApiVersion].includes(''))
      this.#parts.book.complain('Version leaves something out', JSON.stringify(answer));
  }

  async #status(): Promise<void> {
    const { status } = await this.#parts.line.call('Status', { verbose: false });
    for (const type of ['RuntimeReady', 'NetworkReady']) {
      const condition = status?.conditions.find((one) => one.type === type);
      if (condition?.status !== true)
        this.#parts.book.complain(`${type} is not true`, `${condition?.reason}: ${condition?.message}`);
    }
  }

  /** Does `work` every `ms`, never twice at a time, until the kubelet ends. */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const begun = performance.now();
      await work().catch(expectedOnly);
      await sleep(Math.max(0, ms - (performance.now() - begun)), undefined, { signal }).catch(() => {});
    }
  }

  async #probes(): Promise<void> {
    const { signal } = this.#stop;
    const running = new Set<Promise<void>>();
    while (!signal.aborted) {
      const probe = this.#prober.next().finally(() => running.delete(probe));
      running.add(probe);
      await sleep(PROBE_MS, undefined, { signal }).catch(() => {});
    }
    await Promise.all(running);
  }
}

/** Errors of calls have been judged where they were made. */
function expectedOnly(error: unknown): void {
  if (!(error instanceof Away || error instanceof RpcError)) throw error;
}
