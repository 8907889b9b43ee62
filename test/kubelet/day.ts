import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { assertNoLeaks, takeCensus, type Census } from '../leaks.ts';
import { TestNode } from '../node.ts';
import { BUSYBOX, ContainerState, eventually, removePod, runPod } from '../pods.ts';
import { NodeStreams } from '../streams.ts';
import { Book } from './book.ts';
import { DaemonScales, probeEnvironment, type Weight } from './daemon-weight.ts';
import { Happenings, JOB_IMAGES, type Scene } from './happenings.ts';
import { Kubelet } from './kubelet.ts';
import { Ledger } from './ledger.ts';
import { ListClock, type ListTimes } from './list-clock.ts';
import { Line } from './line.ts';
import { oneExec } from './sessions.ts';

/*
 * A day in the life of a node, as its kubelet lives it:
 *
 *   morning   all pods are started
 *   phases    equal ones: deployments roll, jobs come and go, pods are evicted, sandboxes and containers die,
 *             resources change, people exec and forward ports; at the end of each the daemon is weighed
 *   evening   the daemon restarts, is killed; the kubelet restarts; the node reboots
 *   night     all pods go, and nothing may be left
 */

export interface DayOptions {
  pods: number;
  phases: number;
  phaseSeconds: number;
  /** Called with a line whenever something new begins. */
  say: (line: string) => void;
}

export interface DayResult {
  book: Book;
  /** One of each phase. */
  weights: Weight[];
  /** Milliseconds of lists during the phases, asked for by a thread of its own. */
  lists: ListTimes;
  /** The daemon's own view, when the phases were over: its metrics page. */
  metrics: string;
}

const BACK_OFF = { initialMs: 1_000, maxMs: 8_000 };
/** How long the whole node may need to be as it should; a bound against hanging, no measure. */
const SETTLE_LIMIT_MS = 240_000;
const ADOPT_MS = 6_000;
/** A daemon that was weighed has to read its program's pages again, which the weighing made it give back. */
const RECOVER_MS = 1_000;

/** Lives one day and resolves with what was seen. Rejects when a part of it never comes about, or something is left. */
export async function liveDay(options: DayOptions): Promise<DayResult> {
  const library = await ImageLibrary.open();
  let day: Day | undefined;
  try {
    await library.push('busybox:1', busyboxImage());
    for (let index = 0; index < JOB_IMAGES; index++) await pushJobImage(library, index);
    day = await Day.begin(library, options);
    return await day.live();
  } finally {
    await day?.end();
    await library.close();
  }
}

async function pushJobImage(library: ImageLibrary, index: number): Promise<void> {
  const image = busyboxImage();
  image.layers.push({ files: [{ path: 'marker-of-image', content: `image ${index}\n` }] });
  await library.push(`job-${index}:1`, image);
}

class Day implements Scene {
  readonly node: TestNode;
  readonly #library: ImageLibrary;
  readonly #options: DayOptions;
  readonly streams: NodeStreams;
  #clean: Census;
  readonly book = new Book();
  readonly ledger = new Ledger();
  readonly #scales: DaemonScales;
  line: Line;
  kubelet: Kubelet;
  readonly #happenings: Happenings;

  private constructor(
    node: TestNode,
    library: ImageLibrary,
    options: DayOptions,
    streams: NodeStreams,
    clean: Census,
  ) {
    this.node = node;
    this.#library = library;
    this.#options = options;
    this.streams = streams;
    this.#clean = clean;
    this.#scales = new DaemonScales(node, probeEnvironment(node.directory)['BERTH_HEAP_FILE']!);
    [this.line, this.kubelet] = this.#newKubelet();
    this.#happenings = new Happenings(this, options.pods);
  }

  static async begin(library: ImageLibrary, options: DayOptions): Promise<Day> {
    const node = await TestNode.make();
    const streams = new NodeStreams(node);
    try {
      await node.start(probeEnvironment(node.directory));
      await library.serve(node);
      await node.client.call('PullImage', { image: { image: BUSYBOX } });
      // The streaming server's socket opens with the first session, and stays.
      const { container, sandbox } = await runPod(node, 'first', ['sleep', '1000']);
      await oneExec(streams, container, new Book());
      streams.hangUp();
      await removePod(node, sandbox);
      return new Day(node, library, options, streams, await takeCensus(node));
    } catch (error) {
      await node.destroy();
      throw error;
    }
  }

  async live(): Promise<DayResult> {
    const { phases, phaseSeconds, say } = this.#options;
    say(`morning: ${this.#happenings.wanted.length} pods are started`);
    this.kubelet.setPods(this.#happenings.wanted);
    await this.kubelet.start();
    await this.#settled();
    const weights: Weight[] = [];
    this.#scales.start();
    const clock = new ListClock(this.node.socket);
    for (let phase = 0; phase < phases; phase++) {
      const begun = performance.now();
      await this.#happenings.phase(phase, phaseSeconds);
      await sleep(Math.max(0, phaseSeconds * 1000 - (performance.now() - begun)));
      clock.pause();
      const weight = await this.#scales.weigh();
      await sleep(RECOVER_MS);
      clock.resume();
      weights.push(weight);
      const { heap, code, pss, fds, threads } = weight;
      const { sandboxes, containers } = this.ledger;
      say(
        `phase ${phase + 1} of ${phases}: heap ${heap.toFixed(1)} MiB, code ${code.toFixed(1)} MiB, PSS ${pss.toFixed(1)} MiB, ${fds} descriptors, ${threads} threads, ${sandboxes.size} sandboxes, ${containers.size} containers`,
      );
    }
    this.#scales.stop();
    const lists = await clock.stop();
    const metrics = await this.#metrics();
    this.book.stopTiming();
    await this.#evening();
    say('night: all pods go');
    this.kubelet.setPods([]);
    await this.#emptied();
    await this.kubelet.end();
    this.streams.hangUp();
    await assertNoLeaks(this.node, this.#clean);
    return { book: this.book, weights, lists, metrics };
  }

  async end(): Promise<void> {
    this.#scales.stop();
    await this.kubelet.end();
    this.streams.hangUp();
    await this.streams[Symbol.asyncDispose]();
    await this.node.destroy();
  }

  async #evening(): Promise<void> {
    const { say } = this.#options;
    say('evening: the daemon restarts');
    await this.#absence(async () => {
      await this.node.stop();
      await sleep(1_000);
    });
    say('evening: the daemon is killed while a deployment rolls');
    this.#happenings.roll();
    await sleep(300);
    await this.#absence(() => this.node.kill9());
    await this.#settled();
    say('evening: the kubelet restarts');
    const before = this.#steady();
    const made = this.book.deeds.get('sandboxes made') ?? 0;
    await this.kubelet.end();
    [this.line, this.kubelet] = this.#newKubelet();
    this.kubelet.setPods(this.#happenings.wanted);
    await this.kubelet.start();
    await sleep(ADOPT_MS);
    this.#expectSteady(before, 'a new kubelet');
    if ((this.book.deeds.get('sandboxes made') ?? 0) !== made)
      this.book.complain('a new kubelet makes sandboxes for pods that run', '');
    await this.#settled();
    say('evening: the node reboots');
    this.line.away = true;
    await this.kubelet.end();
    this.ledger.endAll('the node was rebooted');
    this.streams.hangUp();
    await this.node.reboot();
    // The mount namespace is a new one, with what this machine has mounted by now.
    const { mounts } = await takeCensus(this.node);
    const fresh = mounts.filter((line) => !this.#clean.mounts.includes(line));
    this.#clean = { ...this.#clean, mounts: [...this.#clean.mounts, ...fresh] };
    await this.#library.serve(this.node);
    await this.node.start();
    [this.line, this.kubelet] = this.#newKubelet();
    this.kubelet.setPods(this.#happenings.wanted);
    await this.kubelet.start();
    await this.#settled();
  }

  /** The daemon goes and comes back; what ran runs on. */
  async #absence(go: () => Promise<void>): Promise<void> {
    const before = this.#steady();
    this.line.away = true;
    await go();
    await this.node.start();
    this.line.away = false;
    await this.#settled();
    this.#expectSteady(before, 'a restart of the daemon');
  }

  #newKubelet(): [Line, Kubelet] {
    const line = new Line(this.node, this.book);
    const { phaseSeconds } = this.#options;
    const everyMs = {
      status: Math.min(10, phaseSeconds / 2) * 1000,
      stats: Math.min(10, phaseSeconds / 2) * 1000,
      logs: Math.min(10, phaseSeconds / 2) * 1000,
      garbage: Math.min(10, phaseSeconds / 2) * 1000,
    };
    const parts = { node: this.node, line, book: this.book, ledger: this.ledger };
    return [line, new Kubelet({ ...parts, backOff: BACK_OFF, everyMs, keepImages: [BUSYBOX] })];
  }

  /** Containers that nothing should touch: they have to be the same, and running, afterwards. */
  #steady(): string[] {
    return ['talker', 'burstable', 'deaf', 'hostly'].flatMap((kind) =>
      this.#happenings.running(kind).map(({ id }) => id),
    );
  }

  #expectSteady(before: string[], after: string): void {
    for (const id of before) {
      const made = this.ledger.containers.get(id);
      const status = this.kubelet
        .worker(made?.pod.uid ?? '')
        ?.status?.containers.find((one) => one.id === id);
      if (made === undefined || made.endedBy !== undefined || status?.state !== ContainerState.RUNNING)
        this.book.complain(`a container did not live through ${after}`, `${id}: state ${status?.state}`);
    }
  }

  /** Waits until each pod is as its kubelet wants it: jobs over, containers running or in back-off. */
  async #settled(): Promise<void> {
    const wanted = this.#happenings.wanted;
    const relists = this.kubelet.relists;
    let left: string[] = [];
    await eventually('all pods are as they should be', SETTLE_LIMIT_MS, () => {
      left = wanted.filter((pod) => !this.kubelet.isAsWanted(pod)).map(({ name }) => name);
      return left.length === 0 && this.kubelet.relists > relists + 1 ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: not yet ${left.join(', ')}`, { cause: error });
    });
  }

  async #emptied(): Promise<void> {
    await eventually('all pods are gone', SETTLE_LIMIT_MS, async () => {
      await this.kubelet.collectGarbage();
      if (this.kubelet.workers.size > 0) return undefined;
      const { items } = await this.line.call('ListPodSandbox', {});
      return items.length === 0 ? true : undefined;
    });
  }

  #metrics(): Promise<string> {
    const request = "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 127.0.0.1 9464";
    return this.node.exec(['sh', '-c', request]);
  }
}
