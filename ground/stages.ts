/**
 * The closed list of stages that work on a pod, a container or an image goes through.
 * The same names stand in errors, logs, metrics, crash tests and `berth status`.
 */
export const STAGES = {
  RunPodSandbox: ['reserve', 'record', 'sandbox', 'network', 'commit'],
  StopPodSandbox: ['containers', 'release', 'commit'],
  RemovePodSandbox: ['containers', 'commit'],
  CreateContainer: ['reserve', 'record', 'resolve', 'snapshot', 'spec', 'create', 'commit'],
  StartContainer: ['start', 'commit'],
  StopContainer: ['signal', 'kill'],
  RemoveContainer: ['release', 'commit'],
  CheckpointContainer: ['checkpoint', 'archive'],
  UpdateContainerResources: ['record', 'update', 'commit'],
  UpdatePodSandboxResources: ['commit'],
  PullImage: ['resolve', 'fetch', 'unpack', 'commit'],
} as const;

export type Operation = keyof typeof STAGES;
export type Stage = (typeof STAGES)[Operation][number];

/**
 * What a running operation tells the rest of the house: where it stands.
 * `enter` is called when a stage begins; the stage before it is then over.
 */
export interface StageSink {
  enter(operation: Operation, id: string, stage: Stage): void;
  leave(operation: Operation, id: string, outcome: 'done' | 'failed'): void;
}

/** A sink that keeps nothing: for tests and tools that watch no stages. */
export const NO_STAGES: StageSink = { enter() {}, leave() {} };
