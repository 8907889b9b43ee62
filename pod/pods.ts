import type { ApparmorStatus } from './apparmor/apparmor.ts';
import type { CgroupStats } from './cgroup/stats.ts';
import type { ContainerConfig, LinuxResources, SandboxConfig } from './config.ts';
import type { Streams } from './streams.ts';
import type { MetricDescriptor, Sample } from './metrics/metric.ts';
import type { InterfaceCounters } from './stats/interfaces.ts';
import type { LayerUsage } from './stats/layer-usage.ts';

/**
 * What the pod room offers to the wire. `open-pods.ts` makes the real one. Ids may be given as unambiguous prefixes,
 * as crictl does.
 */

export type SandboxState = 'ready' | 'notready';

/** A sandbox as the caller sees it. */
export interface SandboxView {
  readonly id: string;
  readonly config: SandboxConfig;
  readonly handler: string;
  readonly state: SandboxState;
  readonly createdAtNs: bigint;
  /** Primary first; empty on the node's network. */
  readonly addresses: string[];
  /** The node's end of its link; empty when there is none, or nobody says. */
  readonly hostLink: string;
  /** For people: pid of pause, pins, attachment, debts. */
  info(): Record<string, unknown>;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

/** A container as the caller sees it. Times are zero while they have not come. */
export interface ContainerView {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly state: ContainerState;
  readonly createdAtNs: bigint;
  readonly startedAtNs: bigint;
  readonly finishedAtNs: bigint;
  readonly exitCode: number;
  /** Completed, Error, OOMKilled, StartError, Unknown, or empty. */
  readonly reason: string;
  readonly message: string;
  readonly imageId: string;
  /** Digest reference of the image, or its id. */
  readonly imageRef: string;
  /** Absolute path; empty when the container has no log. */
  readonly logPath: string;
  readonly user: { uid: number; gid: number; supplementalGroups: number[] };
  readonly resources: LinuxResources | undefined;
  readonly stopSignal: string;
  info(): Record<string, unknown>;
}

export interface SandboxFilter {
  id?: string;
  state?: SandboxState;
  labels: Record<string, string>;
}

export interface ContainerFilter {
  id?: string;
  sandboxId?: string;
  state?: ContainerState;
  labels: Record<string, string>;
}

export interface ExecResult {
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
}

/** What runs uses. */
export interface ResourceUsage extends CgroupStats {
  /** CPU nanoseconds a second, lately. */
  cpuNanoCores: bigint;
}

export interface ContainerStats {
  container: ContainerView;
  cgroupPath: string;
  timestampNs: bigint;
  /** Absent when it does not run. */
  usage?: ResourceUsage;
  /** Absent while it has not been measured. */
  writableLayer?: LayerUsage;
}

export interface SandboxStats {
  sandbox: SandboxView;
  /** Absent when the pod has no cgroup for itself: then the numbers are its containers' sum. */
  cgroupPath?: string;
  timestampNs: bigint;
  usage: ResourceUsage;
  /** Absent on the node's network. */
  network?: { main?: InterfaceCounters; others: InterfaceCounters[] };
  processes: number;
  /** Those that run. */
  containers: ContainerStats[];
}

/** What a handler can do on this kernel, as its probe saw it. */
/**
 * Whether the runtime takes a command into a cgroup below its container's (`exec --cgroup`): a path for all controllers
 * alone, or one for each.
 */
export type CommandCgroups = 'none' | 'all' | 'each';

export interface HandlerFeatures {
  /** Read-only mounts whose submounts are read-only too. */
  recursiveReadOnly: boolean;
  /** Pods with a user namespace, and mounts with mapped ids. */
  userNamespaces: boolean;
  /** In a user namespace, what it binds recursively has the submounts of its source. (crun 1.8 leaves them out.) */
  submountsInUserns: boolean;
  commandCgroups: CommandCgroups;
}

/** Metrics of a pod and of its running containers. */
export interface PodMetrics {
  sandboxId: string;
  samples: Sample[];
  containers: { id: string; samples: Sample[] }[];
}

/** A handler as found at start. */
export interface HandlerStatus {
  name: string;
  path: string;
  version: string;
  usable: boolean;
  /** Why it cannot be used here, and what to do. */
  reason: string;
  isDefault: boolean;
  /** What pods can ask of it; tried out with the runtime itself. */
  features: HandlerFeatures;
  /** Why it serves no user namespaces; empty when it does. */
  noUserNamespaces: string;
}

export type PodEventKind = 'created' | 'started' | 'stopped' | 'deleted';

/** A sandbox or container has come to another state. */
export interface PodEvent {
  /** Of the container, or of the sandbox itself. */
  id: string;
  kind: PodEventKind;
  atNs: bigint;
  /** The pod as it stood then; a deleted container is no more among its containers. */
  sandbox: SandboxView;
  containers: ContainerView[];
}

export interface Pods extends Streams {
  runSandbox(config: SandboxConfig, handler: string, signal?: AbortSignal): Promise<string>;
  stopSandbox(id: string, signal?: AbortSignal): Promise<void>;
  removeSandbox(id: string, signal?: AbortSignal): Promise<void>;
  sandbox(id: string): SandboxView;
  listSandboxes(filter?: SandboxFilter): SandboxView[];

  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandboxConfig: SandboxConfig | undefined,
    signal?: AbortSignal,
  ): Promise<string>;
  startContainer(id: string, signal?: AbortSignal): Promise<void>;
  /** `graceSeconds` 0: SIGKILL at once. */
  stopContainer(id: string, graceSeconds: number, signal?: AbortSignal): Promise<void>;
  removeContainer(id: string, signal?: AbortSignal): Promise<void>;
  container(id: string): ContainerView;
  listContainers(filter?: ContainerFilter): ContainerView[];
  /** `timeoutSeconds` 0: none. */
  execSync(id: string, command: string[], timeoutSeconds: number, signal?: AbortSignal): Promise<ExecResult>;
  reopenLog(id: string, signal?: AbortSignal): Promise<void>;
  /** Zero and empty values mean: as it is. */
  updateContainer(
    id: string,
    resources: LinuxResources | undefined,
    annotations: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** What is absent stays. */
  updateSandbox(id: string, update: { overhead?: LinuxResources; resources?: LinuxResources }): Promise<void>;
  /** `location`: an absolute path of the node. `timeoutSeconds` 0: the default. */
  checkpointContainer(
    id: string,
    location: string,
    timeoutSeconds: number,
    signal?: AbortSignal,
  ): Promise<void>;
  containerStats(id: string): Promise<ContainerStats>;
  listContainerStats(filter?: ContainerFilter): Promise<ContainerStats[]>;
  sandboxStats(id: string): Promise<SandboxStats>;
  listSandboxStats(filter?: SandboxFilter): Promise<SandboxStats[]>;
  metricDescriptors(): MetricDescriptor[];
  podMetrics(): AsyncIterable<PodMetrics>;

  /** Every change from the call on, until the signal aborts. A reader that is too slow loses the oldest. */
  events(signal: AbortSignal): AsyncIterable<PodEvent>;

  handlers(): HandlerStatus[];
  /**
   * Resolves when it is known of each handler whether it works: at once, but for the first start of a boot, where the
   * first call has them tried out.
   */
  handlersTried(signal?: AbortSignal): Promise<void>;
  cgroupDriver(): 'cgroupfs' | 'systemd';
  /** For `berth status` and metrics: counts by state, operations in flight with stage and age, open debts, quarantined records. */
  census(): Census;
  close(): Promise<void>;
}

export interface Census {
  sandboxes: Record<SandboxState, number>;
  containers: Record<ContainerState, number>;
  inFlight: { operation: string; id: string; stage: string; sinceMs: number }[];
  debts: { id: string; kind: string; since: string; tries: number; lastError: string }[];
  quarantined: { kind: string; id: string; reason: string }[];
  children: number;
  /** What confines containers on this node besides their capabilities. */
  security: { apparmor: ApparmorStatus; selinux: boolean; seccomp: boolean };
  /** Logs that came to their cap, so that lines were dropped, since the daemon's start. */
  logCuts: number;
  /** Callers that follow the events, and events that were lost because they read too slowly. */
  events: { subscribers: number; dropped: number };
}
