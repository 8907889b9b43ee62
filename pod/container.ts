import { Limit } from '../ground/limit.ts';
import type { CgroupWrite } from './cgroup/limits.ts';
import type { AttachHub } from './attach/hub.ts';
import type { ContainerConfig, LinuxResources } from './config.ts';
import { shortId } from './directory.ts';
import type { Monitored } from './monitor.ts';
import type { ContainerState, ContainerView } from './pods.ts';
import type { UsageWatch } from './stats/usage-watch.ts';
import type { LayerWatch } from './stats/layer-usage.ts';
import type { CommandTemplate } from './exec/command-template.ts';

/**
 * A container's life. Only `ContainerRecord.phase` is stored.
 *
 * ```
 *            record            commit            start             exit
 *  (nothing) ──────► creating ────────► created ──────► running ──────────► exited ──remove──► (nothing)
 *                        │                  └──────── init ended ─────────────▲
 *                        └ failed: undone, record gone
 * ```
 *
 * There is no way back and no second start. A container that is restored from a checkpoint has no process until its
 * start, and all else is the same. `unknown` is never stored: a container whose end nobody saw is `exited`
 * with code 255 and reason Unknown.
 */
export type ContainerPhase = 'creating' | 'created' | 'running' | 'exited';

export interface ContainerUser {
  uid: number;
  gid: number;
  supplementalGroups: number[];
}

/** The durable half of a container. */
export interface ContainerRecord {
  id: string;
  sandboxId: string;
  handler: string;
  config: ContainerConfig;
  phase: ContainerPhase;
  imageId: string;
  imageRef: string;
  /** Absolute; empty for none. */
  logPath: string;
  cgroupPath: string;
  user: ContainerUser;
  stopSignal: number;
  stopSignalName: string;
  /** What it may use just now. */
  resources?: LinuxResources;
  /** Annotations of UpdateContainerResources, all calls together. Those of `config` stay as they are (CRI). */
  updateAnnotations?: Record<string, string>;
  /** An update is being made: what its cgroup's files held before. Found after a crash, it is undone. */
  update?: { before: CgroupWrite[] };
  notes: string[];
  /** Its specification has hooks: the OCI runtime has to start it. */
  hooks?: boolean;
  monitored?: Monitored;
  /**
   * It comes from a checkpoint: StartContainer makes its process. `images`: directory of what criu wrote about the
   * processes, gone when they run. `begun`: the OCI runtime may have made something of it.
   */
  restore?: { from: string; images: string; begun: boolean };
  /** A checkpoint of it is being made: it stands still. */
  checkpointing?: boolean;
  createdAtNs: bigint;
  startedAtNs: bigint;
  finishedAtNs: bigint;
  exitCode: number;
  reason: string;
  message: string;
  /** The OCI runtime's record, the cgroup and the mount of it are gone. */
  released: boolean;
}

/** A container in memory: its record and what runs on it just now. */
export class Container {
  readonly record: ContainerRecord;
  adoptable = false;
  /** Settles when the exit is recorded. */
  readonly exited: Promise<void>;
  readonly markExited: () => void;
  /** What is to be done at the exit. A promise would keep each of them until then, whoever has lost interest. */
  readonly #atExit = new Set<() => void>();
  /** Settles when what it held is given back after the exit. */
  releasing: Promise<void> | undefined;
  /** The running create: a stop of the sandbox ends it. */
  creating: { abort: AbortController; settled: Promise<void> } | undefined;
  starting: Promise<void> | undefined;
  removing: Promise<void> | undefined;
  stop: StopInFlight | undefined;
  /** What a command inside it is made from, read once for the first exec. */
  template: CommandTemplate | undefined;
  /** Processes that the kernel had killed for want of memory when it was told to stop: they did not end it. */
  oomKillsAtStop = 0;
  /** As callers see it, once somebody has asked. */
  view: ContainerView | undefined;
  /** What statistics remember of earlier ones. */
  usage: UsageWatch | undefined;
  layer: LayerWatch | undefined;
  /** Changes of its resources, one after the other. */
  readonly updates = new Limit(1);
  /** Those that are attached to it. */
  hub: AttachHub | undefined;
  /** Somebody who was attached has closed its standard input, as far as this daemon knows. */
  inputClosed = false;
  /** Ends the restore that StartContainer has under way. */
  restoring: AbortController | undefined;
  /** Running ExecSync calls, to count and to refuse after the end. */
  execs = 0;
  /** How often lines of its log were dropped because it had come to its cap, since the daemon's start. */
  logCuts = 0;

  constructor(record: ContainerRecord) {
    this.record = record;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.exited = promise;
    this.markExited = resolve;
    if (record.phase === 'exited') resolve();
    void promise.then(() => {
      for (const act of this.#atExit) act();
      this.#atExit.clear();
    });
  }

  /** Calls `act` when the exit is recorded, or soon when it is already. What it gives back takes that back. */
  atExit(act: () => void): () => void {
    // One of its own for each call: equal functions are two.
    const own = (): void => act();
    if (this.record.phase === 'exited') void this.exited.then(own);
    else this.#atExit.add(own);
    return () => void this.#atExit.delete(own);
  }

  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return containerName(this.record.sandboxId, this.record.config);
  }

  get subject(): string {
    return `container ${shortId(this.id)} (${this.record.config.metadata.name})`;
  }

  get state(): ContainerState {
    const { phase } = this.record;
    return phase === 'creating' ? 'unknown' : phase;
  }

  get alive(): boolean {
    return this.record.phase === 'created' || this.record.phase === 'running';
  }
}

/** A stop that waits for the container's end. A later call may shorten its grace. */
export interface StopInFlight {
  done: Promise<void>;
  /** performance.now() at which SIGKILL comes. */
  killAt: number;
  shorten(killAt: number): void;
}

/** What tells a container from its neighbours: one sandbox has one of this name and attempt (CRI, ContainerMetadata). */
export function containerName(sandboxId: string, config: ContainerConfig): string {
  return `${config.metadata.name}_${config.metadata.attempt} in ${sandboxId}`;
}

/** Checks a record that is read back after a restart. */
export function checkContainerRecord(value: unknown): ContainerRecord {
  const record = value as ContainerRecord;
  if (typeof record?.id !== 'string' || typeof record.sandboxId !== 'string')
    throw new Error('an id is missing');
  if (typeof record.config?.metadata?.name !== 'string') throw new Error('the configuration is incomplete');
  if (typeof record.createdAtNs !== 'bigint' || typeof record.finishedAtNs !== 'bigint')
    throw new Error('a time is missing');
  if (!['creating', 'created', 'running', 'exited'].includes(record.phase)) {
    throw new Error(`unknown phase ${record.phase}`);
  }
  return record;
}
