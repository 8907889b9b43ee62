import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ContainerState, SandboxState } from '../pods.ts';
import { isOver, stepsFor, type Step } from './actions.ts';
import { BackOff } from './back-off.ts';
import { configOf, messagePathOf, preparePod, type DesiredPod } from './desired.ts';
import { expectContainer, expectSandbox, twinOf } from './expectations.ts';
import type { KubeletParts } from './parts.ts';
import { Away, isCode } from './line.ts';
import { orGone, podStatus, runningOf, type PodStatus } from './pod-status.ts';
import { RpcError } from '../../cri/client.ts';
import type { RequestInput, ResponseOf } from '../../cri/rpc.ts';
import { symlinkOf } from './log-files.ts';

/** After a sync that failed. */
const RETRY_MS = 2_000;

/**
 * A pod's worker: one after the other, it looks at the pod and takes the next steps.
 *
 *   running --terminate--> terminating --nothing runs--> terminated
 *
 * The garbage collector removes what a terminated pod leaves.
 */
export class PodWorker {
  readonly pod: DesiredPod;
  readonly #parts: KubeletParts;
  readonly #backOff: BackOff;
  readonly #toKill = new Map<string, string>();
  #phase: 'running' | 'terminating' | 'terminated' = 'running';
  #graceSeconds: number | undefined;
  #stopped = false;
  #wake = Promise.withResolvers<void>();
  #ended: Promise<void> = Promise.resolve();
  /** The last status that was looked at. */
  status: PodStatus | undefined;
  #asWanted = false;

  constructor(pod: DesiredPod, parts: KubeletParts) {
    this.pod = pod;
    this.#parts = parts;
    this.#backOff = new BackOff(parts.backOff.initialMs, parts.backOff.maxMs);
  }

  get terminated(): boolean {
    return this.#phase === 'terminated';
  }

  get terminating(): boolean {
    return this.#phase !== 'running';
  }

  start(): void {
    this.#ended = this.#run();
  }

  /** Whether the last sync found nothing to do but wait, and every container that should run running or in back-off. */
  get isAsWanted(): boolean {
    return this.#asWanted;
  }

  /** Something changed: look soon. */
  poke(): void {
    this.#wake.resolve();
  }

  /** The pod is to go; `graceSeconds` for all of its containers (an eviction), or each its own. */
  terminate(graceSeconds?: number): void {
    if (this.#phase !== 'running') return;
    this.#phase = 'terminating';
    this.#graceSeconds = graceSeconds;
    this.poke();
  }

  /** A container is to be killed, and started again by its policy. */
  kill(containerId: string, why: string): void {
    this.#toKill.set(containerId, why);
    this.poke();
  }

  /** The kubelet ends; the pod stays. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.poke();
    await this.#ended;
  }

  async #run(): Promise<void> {
    preparePod(this.#parts.node, this.pod);
    while (!this.#stopped && this.#phase !== 'terminated') {
      let waitMs: number;
      try {
        waitMs = await this.#sync();
      } catch (error) {
        if (!(error instanceof Away || error instanceof RpcError)) throw error;
        waitMs = RETRY_MS;
      }
      if (this.#stopped || waitMs <= 0) continue;
      const timer = setTimeout(() => this.poke(), waitMs);
      await this.#wake.promise;
      clearTimeout(timer);
      this.#wake = Promise.withResolvers();
    }
  }

  /** One sync; resolves with the time until the next one, when nothing changes before it. */
  async #sync(): Promise<number> {
    const { line, book, ledger } = this.#parts;
    const status = await podStatus(line, this.pod.uid);
    this.status = status;
    for (const sandbox of status.sandboxes) {
      expectSandbox(sandbox, this.pod, ledger, book);
      const twin = twinOf(sandbox.id, ledger);
      if (twin !== undefined) await this.#expectApart(sandbox.id, twin);
    }
    for (const container of status.containers) expectContainer(container, ledger, book);
    if (this.#phase === 'terminating') {
      await this.#killPod(status, this.#graceSeconds);
      this.#phase = 'terminated';
      return 0;
    }
    for (const [id, why] of this.#toKill) {
      this.#toKill.delete(id);
      await this.#killContainer(id, undefined, why);
    }
    const steps = stepsFor(this.pod, status, this.#backOff, Date.now(), (name) => this.#attemptOfLog(name));
    this.#asWanted = steps.length === 1 && this.#allBegun(status);
    let waitMs = 0;
    for (const step of steps)
      if (step.do === 'wait') waitMs = steps.length > 1 ? 0 : step.ms;
      else if (!this.#stopped && this.#phase === 'running') await this.#take(step, status);
    return waitMs;
  }

  /** Whether the init containers have run: each main container has been made in the newest sandbox, or the pod is over. */
  #allBegun(status: PodStatus): boolean {
    if (isOver(this.pod, status)) return true;
    const inNewest = status.containers.filter(
      ({ id }) => status.sandboxOf.get(id) === status.sandboxes[0]?.id,
    );
    return this.pod.containers.every(
      ({ name, role }) => role !== 'main' || inNewest.some(({ metadata }) => metadata?.name === name),
    );
  }

  /** Two sandboxes that had one address when they were looked at: one of them has to be over by now. */
  async #expectApart(...ids: [string, string]): Promise<void> {
    const { line, book } = this.#parts;
    const addresses: string[] = [];
    for (const podSandboxId of ids) {
      const look = line.call('PodSandboxStatus', { podSandboxId }, { tolerate: ['NOT_FOUND'] });
      const status = (await orGone(look))?.status;
      if (status?.state === SandboxState.READY) addresses.push(status.network?.ip ?? '');
    }
    if (addresses.length === 2 && addresses[0] === addresses[1])
      book.complain('two ready sandboxes have one address', `${ids.join(' and ')}: ${addresses[0]}`);
  }

  async #take(step: Exclude<Step, { do: 'wait' }>, status: PodStatus): Promise<void> {
    const { line, book, ledger, node } = this.#parts;
    if (step.do === 'sandbox') {
      await this.#killPod(status);
      const { sandbox } = this.pod;
      const config = { ...sandbox, metadata: { ...sandbox.metadata, attempt: step.attempt } };
      const { podSandboxId } = await line.call('RunPodSandbox', { config });
      if (podSandboxId === '') book.complain('RunPodSandbox answers without an id', this.pod.name);
      this.#parts.expectEvent(podSandboxId, 'created');
      this.#parts.expectEvent(podSandboxId, 'started');
      ledger.sandboxes.set(podSandboxId, { id: podSandboxId, pod: this.pod, attempt: step.attempt });
      book.did(step.attempt === 0 ? 'sandboxes made' : 'sandboxes made anew');
      return;
    }
    const { container, attempt, sandboxId } = step;
    const known = status.containers.some(({ metadata }) => metadata?.name === container.name);
    if (known) this.#backOff.started(container.name, Date.now());
    const imageRef = await this.#parts.images.ensure(container.image);
    const { sandbox } = this.pod;
    const config = configOf(node, this.pod, container, attempt, imageRef);
    mkdirSync(join(sandbox.logDirectory!, container.name), { recursive: true });
    const { containerId } = await this.#inLivingSandbox(sandboxId, 'CreateContainer', {
      podSandboxId: sandboxId,
      config,
      sandboxConfig: sandbox,
    });
    if (containerId === '') book.complain('CreateContainer answers without an id', this.pod.name);
    const logPath = join(sandbox.logDirectory!, config.logPath!);
    const messagePath = messagePathOf(node, this.pod, container.name, attempt);
    const made = {
      id: containerId,
      sandboxId,
      pod: this.pod,
      container,
      attempt,
      logPath,
      messagePath,
      started: false,
    };
    ledger.containers.set(containerId, made);
    await this.#inLivingSandbox(sandboxId, 'StartContainer', { containerId });
    made.started = true;
    for (const kind of ['created', 'started'] as const) this.#parts.expectEvent(containerId, kind);
    book.did(attempt === 0 ? 'containers started' : 'containers started again');
    this.#linkLog(containerId, container.name, logPath);
  }

  /** A call that has to work unless its sandbox is killed meanwhile: then a kubelet makes the next one. */
  async #inLivingSandbox<R extends 'CreateContainer' | 'StartContainer'>(
    sandboxId: string,
    rpc: R,
    request: RequestInput<R>,
  ): Promise<ResponseOf<R>> {
    const { line, book, ledger } = this.#parts;
    try {
      return await line.call(rpc, request, { tolerate: ['FAILED_PRECONDITION'] });
    } catch (error) {
      if (isCode(error, 'FAILED_PRECONDITION') && !ledger.ended.has(sandboxId))
        book.complain(`${rpc} fails in a living sandbox`, (error as RpcError).details);
      throw error;
    }
  }

  /** The link that log collectors read. A kubelet makes it only when the log is there: it has to be. */
  #linkLog(containerId: string, name: string, logPath: string): void {
    const { book, node } = this.#parts;
    if (!existsSync(logPath)) book.complain('a started container has no log', logPath);
    const link = symlinkOf(node, this.pod, name, containerId);
    rmSync(link, { force: true });
    symlinkSync(logPath, link);
    if (!existsSync(link)) book.complain('the link to a log leads nowhere', link);
  }

  /** Stops what runs, sidecars last, then each sandbox that is ready. */
  async #killPod(status: PodStatus, graceSeconds?: number): Promise<void> {
    const sidecars = new Set(
      this.pod.containers.filter(({ role }) => role === 'sidecar').map(({ name }) => name),
    );
    const running = runningOf(status);
    const isSidecar = ({ metadata }: (typeof running)[number]): boolean => sidecars.has(metadata?.name ?? '');
    for (const group of [running.filter((one) => !isSidecar(one)), running.filter(isSidecar)])
      await Promise.all(group.map(({ id }) => this.#killContainer(id, graceSeconds, 'its pod was stopped')));
    for (const { id, state } of status.sandboxes) {
      if (state !== SandboxState.READY && this.#phase === 'running' && status.sandboxes[0]?.id !== id)
        continue;
      this.#parts.ledger.endSandbox(id, 'its pod was stopped');
      await orGone(
        this.#parts.line.call('StopPodSandbox', { podSandboxId: id }, { tolerate: ['NOT_FOUND'] }),
      );
    }
  }

  async #killContainer(containerId: string, graceSeconds: number | undefined, why: string): Promise<void> {
    const { line, ledger, book } = this.#parts;
    const made = ledger.containers.get(containerId);
    if (made !== undefined) made.endedBy ??= why;
    const timeout = BigInt(graceSeconds ?? made?.container.graceSeconds ?? 2);
    await orGone(line.call('StopContainer', { containerId, timeout }, { tolerate: ['NOT_FOUND'] }));
    const look = line.call('ContainerStatus', { containerId }, { tolerate: ['NOT_FOUND'] });
    const status = (await orGone(look))?.status;
    if (status?.state === ContainerState.RUNNING)
      book.complain('a container runs after StopContainer', containerId);
    book.did('containers stopped');
  }

  /** The next attempt by the names of the log files, as a kubelet finds it when no status tells. */
  #attemptOfLog(container: string): number {
    const directory = join(this.pod.sandbox.logDirectory!, container);
    if (!existsSync(directory)) return 0;
    const attempts = readdirSync(directory).map((name) => Number(/^(\d+)\.log/.exec(name)?.[1] ?? -1));
    return Math.max(-1, ...attempts) + 1;
  }
}
