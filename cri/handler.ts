import type { Images } from '../image/images.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { CheckReport } from './check.ts';
import type { ConfigurationState } from './config/reload.ts';
import type { Pods } from '../pod/pods.ts';
import type { Notice } from '../ground/notices.ts';
import type { DiskSpace } from './disk-space.ts';
import type { Encoded } from './encoded.ts';
import type { MetricsUrls } from './metrics-listener.ts';
import type { Streaming } from './streaming/server.ts';
import type { RequestOf, ResponseInput, Rpc, StreamRpc, UnaryRpc } from './rpc.ts';

/** What the handlers of the wire work with: the rooms below, and what the daemon knows of itself. */
export interface Rooms {
  pods: Pods;
  images: Images;
  network: PodNetwork;
  streaming: Streaming;
  daemon: DaemonFacts;
}

/** What the daemon can tell of itself. */
export interface DaemonFacts {
  version: string;
  startedAt: Date;
  /** Versions of what the daemon stands on, by name: node, kernel, … */
  versions: Record<string, string>;
  /** The handler that would be the default if it worked on this node. */
  preferredHandler: string;
  /** What has happened lately that a person should know. */
  notices(): Notice[];
  /** How full the daemon's disk is; undefined while it is not known. From memory. */
  disk(): DiskSpace | undefined;
  /** Where its metrics and its page are served now. */
  urls(): MetricsUrls;
  /** How it stands with its configuration files. */
  configuration(): ConfigurationState;
  /** The configuration in force, as `berth config show` prints it. */
  config(): Record<string, unknown>;
  /** Holds the records against kernel and store. */
  check(options: { repair: boolean; signal: AbortSignal }): Promise<CheckReport>;
}

/** What a handler knows of its call. */
export interface Call {
  /** Aborts with TimeoutError at the caller's deadline, with AbortError when the caller leaves. */
  signal: AbortSignal;
  /** Aborts when the daemon begins to stop: what has no end of its own ends then. */
  stopping: AbortSignal;
}

/** What a handler answers: a message, or its bytes. */
export type Answer<R extends Rpc> = ResponseInput<R> | Encoded;

/** Answers one RPC. What it throws becomes the call's status. */
export type UnaryHandler<R extends UnaryRpc> = (
  rooms: Rooms,
  request: RequestOf<R>,
  call: Call,
) => Answer<R> | Promise<Answer<R>>;

/** Answers one streaming RPC; the end of the iteration ends the stream. */
export type StreamHandler<R extends StreamRpc> = (
  rooms: Rooms,
  request: RequestOf<R>,
  call: Call,
) => Iterable<Answer<R>> | AsyncIterable<Answer<R>>;

/** The RPCs that are served. The others answer Unimplemented. */
export type Handlers = { [R in UnaryRpc]?: UnaryHandler<R> } & { [R in StreamRpc]?: StreamHandler<R> };
