import type { Notice } from '../../ground/notices.ts';
import type { NetworkShape, OverlayStatus } from '../../network/pod-network.ts';
import type { StageTime } from './recent-work.ts';

/*
 * What the page is told, part by part. Types alone, and nothing of Node: the page's own JavaScript is checked against
 * them, too.
 */

/** What the daemon is and whether it can serve. */
export interface NodePart {
  name: string;
  version: string;
  startedAt: string;
  versions: Record<string, string>;
  cgroupDriver: string;
  /** RuntimeReady and NetworkReady, as the kubelet is told. */
  conditions: { type: string; ready: boolean; reason: string; message: string }[];
  handlers: {
    name: string;
    path: string;
    version: string;
    usable: boolean;
    reason: string;
    isDefault: boolean;
  }[];
}

/** What changes all the time. */
export interface VitalsPart {
  memoryBytes: number;
  /** Processes that are watched. */
  processes: number;
  /** Of the file system with images, containers and records; absent while it is not known. */
  disk?: { bytesTotal: number; bytesFree: number };
}

/** What runs now. */
export interface WorkPart {
  inFlight: {
    operation: string;
    id: string;
    /** `namespace/name`, with the container's name behind it; an image's name; or the id. */
    subject: string;
    stage: string;
    beganAt: string;
    stageAt: string;
  }[];
  pulls: {
    image: string;
    stage: string;
    beganAt: string;
    layersDone: number;
    layersTotal: number;
    bytesDone: number;
    bytesTotal: number;
  }[];
}

/** What could not be done yet, and what could not be read. */
export interface TroublePart {
  debts: { id: string; subject: string; kind: string; since: string; tries: number; lastError: string }[];
  quarantined: { kind: string; id: string; reason: string }[];
  /** What has happened lately, the newest first. */
  notices: Omit<Notice, 'id'>[];
}

/** Who makes the pods' network; `overlay` as `berth status --json` has it. */
export interface NetworkPart extends NetworkShape {
  ready: boolean;
  message: string;
  overlay?: OverlayStatus;
}

/** A container of a pod. */
export interface ContainerPart {
  id: string;
  name: string;
  attempt: number;
  state: string;
  /** As the user named it. */
  image: string;
  createdAt: string;
  /** Empty while that has not come. */
  startedAt: string;
  finishedAt: string;
  exitCode: number;
  /** Completed, Error, OOMKilled, StartError, Unknown, or empty. */
  reason: string;
}

/** A pod with its containers, in the order of their creation. */
export interface PodPart {
  id: string;
  name: string;
  namespace: string;
  attempt: number;
  state: string;
  handler: string;
  createdAt: string;
  /** Whether it lives on the node's own network. */
  hostNetwork: boolean;
  addresses: string[];
  hostLink: string;
  hostPorts: { protocol: string; hostIp: string; hostPort: number; containerPort: number }[];
  containers: ContainerPart[];
}

/** What a pod's start consists of. */
export type Phase = 'pull' | 'sandbox' | 'network' | 'create' | 'start';

/** One work of a pod's start. */
export interface StepPart {
  phase: Phase;
  operation: string;
  /** The container's name or the image's; empty for the pod itself. */
  subject: string;
  /** Milliseconds since the pod's start began. */
  startMs: number;
  ms: number;
  stages: StageTime[];
  outcome: 'done' | 'failed';
}

/** How a pod was started. */
export interface StartPart {
  sandboxId: string;
  name: string;
  namespace: string;
  beganAt: string;
  /** Until the last work ended, with the caller's pauses in between. */
  totalMs: number;
  /** What Berth worked in each phase. */
  phases: Record<Phase, number>;
  outcome: 'done' | 'failed';
  steps: StepPart[];
}

/** The last pod starts, newest first. */
export interface StartsPart {
  /** Since when they are counted: the daemon's start. */
  since: string;
  /** Of the starts that have such a phase and did not fail; absent while there is none. */
  medians: Partial<Record<Phase, number>>;
  starts: StartPart[];
}

/** One layer's directory on disk, which several images can stand on. */
export interface LayerPart {
  /** Short name, the same in the images' `layers`. */
  id: string;
  bytes: number;
  /** How many images stand on it. */
  images: number;
}

/** An image. */
export interface ImagePart {
  id: string;
  tags: string[];
  digests: string[];
  /** All its layers together. */
  bytes: number;
  /** What its removal would give back: layers that no other image has. */
  ownBytes: number;
  pinned: boolean;
  /** Containers that were made of it and are still there. */
  containers: number;
  /** Lowest first; ids of `LayerPart`. */
  layers: string[];
}

/** What images cost. */
export interface ImagesPart {
  /** All layers, each directory once. */
  diskBytes: number;
  /** What the images would take if they shared nothing. */
  apartBytes: number;
  /** Largest first. */
  images: ImagePart[];
  layers: LayerPart[];
}

/** The node at one moment: what the page shows, and `GET /api/node` answers. Times are ISO 8601, sizes bytes. */
export interface NodeSnapshot {
  at: string;
  node: NodePart;
  vitals: VitalsPart;
  work: WorkPart;
  trouble: TroublePart;
  pods: PodPart[];
  starts: StartsPart;
  images: ImagesPart;
  network: NetworkPart;
}

/** One server-sent event: the parts that changed. */
export interface NodeNews {
  at: string;
  /** All parts but the pods by their names in the snapshot, and each pod as `pod:<id>`. */
  set: Partial<Omit<NodeSnapshot, 'at' | 'pods'>> & Record<`pod:${string}`, PodPart>;
  /** Pods that are no more, as `pod:<id>`. */
  gone: string[];
  /** Whether it holds everything: what is not in it is not there. */
  whole: boolean;
}
