import type { Operation, Stage, StageSink } from '../../ground/stages.ts';

/** So many pod starts are remembered. */
export const POD_STARTS = 20;
/** Of one pod: what it does at its start is a pull and two calls for each of its containers. */
const WORKS_A_POD = 64;
const PULLS = 40;

/** One stage of a work. */
export interface StageTime {
  stage: Stage;
  /** Milliseconds since the work began. */
  startMs: number;
  ms: number;
}

/** An operation that has ended. */
export interface Work {
  operation: Operation;
  /** Of the sandbox or container, or an image's name. */
  id: string;
  /** Milliseconds since the epoch. */
  beganAt: number;
  /** The same by a clock that nobody sets, for differences. */
  begun: number;
  ms: number;
  stages: StageTime[];
  outcome: 'done' | 'failed';
}

/** An operation that runs. Times: milliseconds since the epoch. */
export interface RunningWork {
  operation: Operation;
  id: string;
  beganAt: number;
  stage: Stage;
  stageAt: number;
}

/** A container's part of its pod's start. */
export interface ContainerStart {
  id: string;
  name: string;
  imageId: string;
}

/** How a pod was started: its sandbox, and the first containers of each name. */
export interface PodStart {
  sandboxId: string;
  namespace: string;
  name: string;
  containers: ContainerStart[];
  /** In the order of their ends. */
  works: Work[];
}

/** An image's pull that has ended; `imageId` is empty when it failed. */
export interface PullWork extends Work {
  imageId: string;
}

/** Who knows what ids mean, from memory. */
export interface Names {
  sandbox(id: string): { namespace: string; name: string } | undefined;
  container(id: string): (ContainerStart & { sandboxId: string }) | undefined;
  imageId(name: string): string | undefined;
}

const NO_NAMES: Names = { sandbox: () => undefined, container: () => undefined, imageId: () => undefined };

interface Open extends RunningWork {
  begun: number;
  stageBegun: number;
  stages: StageTime[];
}

/**
 * Remembers the stages of the last pod starts and pulls, and what runs now: bounded, in memory, written as it happens.
 * A pod's start is told also after the pod is gone.
 */
export class RecentWork implements StageSink {
  readonly #open = new Map<string, Open>();
  /** By sandbox id, oldest first. */
  readonly #starts = new Map<string, PodStart>();
  readonly #pulls: PullWork[] = [];
  readonly #nowMs: () => number;
  #names = NO_NAMES;

  /** `nowMs`: a monotonic clock. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** From now on ids have names. */
  know(names: Names): void {
    this.#names = names;
  }

  enter(operation: Operation, id: string, stage: Stage): void {
    const key = `${operation} ${id}`;
    const now = this.#nowMs();
    const open = this.#open.get(key);
    if (open === undefined) {
      const at = Date.now();
      const work = {
        operation,
        id,
        stage,
        beganAt: at,
        stageAt: at,
        begun: now,
        stageBegun: now,
        stages: [],
      };
      this.#open.set(key, work);
      return;
    }
    // An object that fails is gone before its work has ended: it is looked at while it is there.
    if (open.stages.length === 0) this.#meet(operation, id);
    endStage(open, now);
    open.stage = stage;
    open.stageAt = Date.now();
    open.stageBegun = now;
  }

  leave(operation: Operation, id: string, outcome: 'done' | 'failed'): void {
    const key = `${operation} ${id}`;
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    const now = this.#nowMs();
    endStage(open, now);
    const { beganAt, begun, stages } = open;
    const work: Work = { operation, id, beganAt, begun, ms: round(now - begun), stages, outcome };
    if (operation === 'PullImage') this.#keepPull(work);
    else this.#startOf(operation, id)?.works.push(work);
  }

  /** What runs now, longest first. */
  running(): RunningWork[] {
    return Array.from(this.#open.values(), ({ operation, id, beganAt, stage, stageAt }) => ({
      operation,
      id,
      beganAt,
      stage,
      stageAt,
    }));
  }

  /** The last pod starts, newest first. */
  starts(): PodStart[] {
    return [...this.#starts.values()].toReversed();
  }

  /** The last pulls that have ended, oldest first. */
  pulls(): readonly PullWork[] {
    return this.#pulls;
  }

  #keepPull(work: Work): void {
    const imageId = work.outcome === 'done' ? (this.#names.imageId(work.id) ?? '') : '';
    if (this.#pulls.push({ ...work, imageId }) > PULLS) this.#pulls.shift();
  }

  /** Notes whose start this is part of. */
  #meet(operation: Operation, id: string): void {
    if (operation === 'RunPodSandbox') this.#meetSandbox(id);
    else if (operation === 'CreateContainer') this.#meetContainer(id);
  }

  #meetSandbox(id: string): void {
    const names = this.#names.sandbox(id);
    if (names === undefined) return;
    this.#starts.set(id, { sandboxId: id, ...names, containers: [], works: [] });
    if (this.#starts.size > POD_STARTS) this.#starts.delete(this.#starts.keys().next().value!);
  }

  /** The first container of each name belongs to the start of the pod; those that follow are restarts. */
  #meetContainer(id: string): void {
    const met = this.#names.container(id);
    const start = met && this.#starts.get(met.sandboxId);
    if (start === undefined || met === undefined) return;
    const { name, imageId } = met;
    if (start.works.length + 2 > WORKS_A_POD || start.containers.some((one) => one.name === name)) return;
    start.containers.push({ id, name, imageId });
  }

  #startOf(operation: Operation, id: string): PodStart | undefined {
    if (operation === 'RunPodSandbox') return this.#starts.get(id);
    if (operation !== 'CreateContainer' && operation !== 'StartContainer') return undefined;
    const start = this.#starts.values().find(({ containers }) => containers.some((one) => one.id === id));
    const container = start?.containers.find((one) => one.id === id);
    // What image it is was not known when it was met.
    if (container?.imageId === '') container.imageId = this.#names.container(id)?.imageId ?? '';
    return start;
  }
}

function endStage(open: Open, now: number): void {
  const { stage, stageBegun, begun, stages } = open;
  stages.push({ stage, startMs: round(stageBegun - begun), ms: round(now - stageBegun) });
}

/** To a microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
