import { setTimeout as sleep } from 'node:timers/promises';
import { SandboxState } from '../pods.ts';
import type { TestNode } from '../node.ts';
import type { NodeStreams } from '../streams.ts';
import type { Book } from './book.ts';
import { desiredPod, jobImage, jobPod, standingPods, type DesiredPod } from './desired.ts';
import type { Kubelet } from './kubelet.ts';
import type { Ledger, MadeContainer } from './ledger.ts';
import type { Line } from './line.ts';
import { oneExec, oneForward, oneWebSocketExec, updateResources } from './sessions.ts';

/** What the happenings of a day change and look at. The kubelet and its line are others after a restart. */
export interface Scene {
  readonly node: TestNode;
  readonly book: Book;
  readonly ledger: Ledger;
  readonly streams: NodeStreams;
  readonly line: Line;
  readonly kubelet: Kubelet;
}

/** Images that only jobs use: each is pulled, used, collected and pulled again. */
export const JOB_IMAGES = 3;
const JOBS_A_PHASE = 3;

/** What the cluster wants of the node, and what it and people do to it in each phase. */
export class Happenings {
  readonly #scene: Scene;
  #standing: DesiredPod[];
  #jobs: DesiredPod[] = [];
  #rolled = 0;

  constructor(scene: Scene, pods: number) {
    this.#scene = scene;
    this.#standing = standingPods(scene.node, pods);
  }

  /** What happens in each phase, spread over its first two thirds. */
  async phase(phase: number, seconds: number): Promise<void> {
    const pause = (seconds * 1000 * 2) / 3 / 8;
    const happenings: (() => Promise<void> | void)[] = [
      () => this.#newJobs(phase),
      () => this.roll(),
      () => this.#session(oneExec),
      () => this.#evict(),
      () => this.#killSandbox(),
      () => this.#session(oneWebSocketExec),
      () => this.#killContainer(),
      async () => {
        await updateResources(this.#scene.line, this.#scene.book, this.running('burstable'), phase);
        await oneForward(this.#scene.streams, this.running('web')[0], this.#scene.book);
      },
    ];
    for (const happening of happenings) {
      await happening();
      await sleep(pause);
    }
  }

  /** All pods that the node should have now. */
  get wanted(): DesiredPod[] {
    return [...this.#standing, ...this.#jobs];
  }

  #newJobs(phase: number): void {
    const image = jobImage(phase % JOB_IMAGES);
    this.#jobs = Array.from({ length: JOBS_A_PHASE }, (_, index) =>
      jobPod(this.#scene.node, `job-${phase}-${index}`, image),
    );
    this.#scene.kubelet.setPods(this.wanted);
  }

  /** Every second pod of the deployment is replaced by one of another name. */
  roll(): void {
    let at = 0;
    this.#standing = this.#standing.map((pod) =>
      pod.kind === 'rolled' && at++ % 2 === 0
        ? desiredPod(this.#scene.node, 'rolled', `rolled-again-${this.#rolled++}`)
        : pod,
    );
    this.#scene.kubelet.setPods(this.wanted);
  }

  /** Two pods go within a second, and others take their place. */
  #evict(): void {
    const victims = this.#standing.filter(({ kind }) => kind === 'web' || kind === 'accompanied').slice(-2);
    for (const { uid } of victims) this.#scene.kubelet.evict(uid, 1);
    this.#standing = this.#standing.map((pod) =>
      victims.includes(pod)
        ? desiredPod(this.#scene.node, pod.kind, `${pod.kind}-anew-${this.#rolled++}`)
        : pod,
    );
    this.#scene.kubelet.setPods(this.wanted);
    this.#scene.book.did('pods evicted', victims.length);
  }

  /** Somebody kills a pod's pause: the kubelet has to see it and make the sandbox anew. */
  async #killSandbox(): Promise<void> {
    const standing = this.#standing.filter(({ kind }) => kind === 'prepared');
    const ready = standing.flatMap(({ uid }) => this.#scene.kubelet.worker(uid)?.status?.sandboxes[0] ?? []);
    const sandbox = ready.find(({ state }) => state === SandboxState.READY);
    if (sandbox === undefined) return;
    const request = { podSandboxId: sandbox.id, verbose: true };
    const { info } = await this.#scene.line.call('PodSandboxStatus', request);
    this.#scene.ledger.endSandbox(sandbox.id, 'its sandbox was killed');
    process.kill(Number(info['pid']), 'SIGKILL');
    this.#scene.book.did('sandboxes killed');
  }

  /** Somebody kills a container: it comes back with the next attempt. */
  async #killContainer(): Promise<void> {
    const [made] = this.running('web').slice(1);
    if (made === undefined) return;
    made.endedBy = 'somebody killed it';
    const { info } = await this.#scene.line.call('ContainerStatus', { containerId: made.id, verbose: true });
    process.kill(Number(info['pid']), 'SIGKILL');
    this.#scene.book.did('containers killed');
  }

  async #session(hold: typeof oneExec): Promise<void> {
    const [made] = this.running('talker');
    if (made !== undefined) await hold(this.#scene.streams, made.id, this.#scene.book);
    this.#scene.streams.hangUp();
  }

  #stands(pod: DesiredPod, kind: string): boolean {
    return pod.kind === kind && this.#standing.includes(pod);
  }

  /** The main containers of a kind that should run now. */
  running(kind: string): MadeContainer[] {
    return [...this.#scene.ledger.containers.values()].filter(
      ({ pod, container, started, endedBy }) =>
        this.#stands(pod, kind) && container.role === 'main' && started && endedBy === undefined,
    );
  }
}
