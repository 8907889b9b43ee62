import type { IdMappings } from '../native/id-mapping.ts';

/**
 * What the image room offers to the rooms above it. `open-images.ts` makes the real one.
 */

import type { Stage } from '../ground/stages.ts';

/** The part of an image's configuration that running a container needs (OCI image specification, config.md). */
export interface ImageConfig {
  user: string;
  env: string[];
  entrypoint: string[];
  cmd: string[];
  workingDir: string;
  volumes: string[];
  labels: Record<string, string>;
  stopSignal: string;
}

export interface ImageRecord {
  /** `sha256:<64 hex>` of the image's configuration: the image's one identity (PullImage, ListImages, ContainerStatus). */
  id: string;
  /** Full names: `docker.io/library/busybox:1`. */
  repoTags: string[];
  /** Full names with the manifest's digest: `docker.io/library/busybox@sha256:…`. */
  repoDigests: string[];
  /** Bytes, unpacked content as stored. */
  size: number;
  /** Chain ids of the unpacked layers, lowest first. */
  layers: string[];
  config: ImageConfig;
  pinned: boolean;
}

export interface PullAuth {
  username: string;
  password: string;
  auth: string;
  serverAddress: string;
  identityToken: string;
  registryToken: string;
}

/** One layer on its way: bytes of its blob. */
export interface LayerProgress {
  /** Empty when the source does not say. */
  digest: string;
  state: 'waiting' | 'fetching' | 'unpacking' | 'done';
  bytesDone: number;
  bytesTotal: number;
}

/** How far a pull is. One object for the whole pull, which changes: who keeps it copies it. */
export interface PullProgress {
  layersDone: number;
  layersTotal: number;
  bytesDone: number;
  bytesTotal: number;
  /** In the manifest's order, lowest first. */
  layers: readonly Readonly<LayerProgress>[];
}

/** A pull that runs now. */
export interface RunningPull {
  /** Full name. */
  image: string;
  stage: Stage;
  /** Milliseconds since it began. */
  sinceMs: number;
  /** Absent until the manifest is there. */
  progress: PullProgress | undefined;
}

/** What pulls have done since the start. */
export interface PullTotals {
  /** Of layers, as they came from registries. */
  bytesFetched: number;
  done: number;
  failed: number;
}

export interface FilesystemUsage {
  mountpoint: string;
  usedBytes: number;
  inodesUsed: number;
}

/** Something that is wrong with the store. */
export interface StoreFinding {
  kind: 'layer' | 'image' | 'snapshot' | 'orphan';
  /** Chain id, image id, snapshot id, or path below the store. */
  id: string;
  problem: string;
  repaired: boolean;
}

/** What a look through the store showed. */
export interface StoreReport {
  /** Layers that were read and are whole. */
  verified: number;
  /** Layers that are there, of whose content nothing is known to compare it with. */
  unverifiable: number;
  findings: StoreFinding[];
}

/** How images are written into an archive. */
export interface SaveOptions {
  /** Default `oci`. */
  format?: 'oci' | 'docker';
  /** Default `none`. */
  compression?: 'none' | 'gzip' | 'zstd';
  signal?: AbortSignal;
}

/** All there is to say about an image. */
export interface ImageDetails {
  image: ImageRecord;
  /** The manifest and the configuration as they came; the manifest is empty when the archive had none. */
  manifest: string;
  configBlob: string;
  /** Lowest first. Bytes: on disk. */
  layers: { chainId: string; diffId: string; bytes: number; inodes: number; directory: string }[];
}

/** An unpacked layer: what it takes, and of which content it is. Layers of one content are on disk once. */
export interface LayerSummary {
  chainId: string;
  /** Equal for layers that share their files. */
  content: string;
  /** On disk. */
  bytes: number;
}

/** A container's root file system: layers below, one writable directory on top. */
export interface Snapshotter {
  /**
   * Makes the directories of snapshot `id` above `layers` (chain ids). Nothing is mounted yet. `owners`: the ids of the
   * user namespace that will write there.
   */
  prepare(id: string, layers: string[], owners?: IdMappings): void;
  /** Makes a snapshot that shows `layers` and takes no changes. Nothing is mounted yet. */
  prepareView(id: string, layers: string[]): void;
  /**
   * Makes an empty directory (mode 0755) beside the writable one of snapshot `id`, and goes away with it: for data that
   * is no part of the root file system. Its absolute path.
   */
  volume(id: string, name: string): string;
  /** Makes an empty directory (mode 0700), anew when it was there, that goes away with the snapshot. Its absolute path. */
  scratch(id: string, name: string): string;
  /** The directory that takes the changes. Throws `not-found`. */
  writable(id: string): string;
  /** The directories of its layers, topmost first. Throws `not-found`. */
  lower(id: string): string[];
  /**
   * Mounts the snapshot at `target` (an existing directory, in the daemon's mount namespace). With a user namespace (a
   * file descriptor) the layers' files belong to its ids. Throws `precondition` when the file system cannot do that.
   * With an SELinux `label` all files of the mount have it (mount(8), context=).
   */
  mount(id: string, target: string, userNamespace?: number, label?: string): void;
  /** Whether layers can be shown with the ids of a user namespace, tried out; else the reason. */
  mapsIds(userNamespace: number): string | undefined;
  /** Detaches `target`; no error when nothing is mounted there. */
  unmount(target: string): Promise<void>;
  /** Bytes and inodes of the writable directory, from a walk that may be some time ago: see UsageMeter. */
  usage(id: string, signal?: AbortSignal): Promise<FilesystemUsage>;
  /** Takes the writable directory away: a rename now, deletion in the background. No error when it is not there. */
  remove(id: string): void;
  /** Ids of all snapshots that exist on disk: recovery removes those that no record names. */
  list(): string[];
  /**
   * Forgets the snapshots whose directories are gone, and tells which. For the time after a reboot, when nobody lives on
   * one: a power loss takes the newest rows back, so that of a removal the disk may know and the records not.
   */
  forgetLost(): string[];
}

export interface Images {
  /**
   * Pulls `reference` and unpacks it. Concurrent calls for one image share one download; an abort of `signal` ends
   * the work only when no other caller waits for it.
   */
  pull(
    reference: string,
    options: { auth?: PullAuth; signal?: AbortSignal; progress?: (progress: PullProgress) => void },
  ): Promise<ImageRecord>;
  /** The pulls that run now, oldest first, and what all have done. */
  pulls(): { running: RunningPull[]; totals: PullTotals };
  /** Imports an OCI layout or docker archive file (tar, plain, gzip or zstd). */
  load(file: string, options: { signal?: AbortSignal; name?: string }): Promise<ImageRecord[]>;
  /**
   * Writes images into an archive file. Throws Fault `not-found` for what is not here, and the Faults of
   * ArchiveSaver.save.
   */
  save(references: string[], file: string, options: SaveOptions): Promise<void>;
  /** All about one image. Throws Fault('not-found'). */
  inspect(reference: string): ImageDetails;
  /** Looks through the store; with `repair`, sets damaged layers aside and forgets what lost layers. */
  check(options: { repair: boolean; signal?: AbortSignal }): Promise<StoreReport>;
  /** The image that a name, a digest reference, an id or an unambiguous short id means. */
  find(reference: string): ImageRecord | undefined;
  list(): ImageRecord[];
  /** All layers that are unpacked, also those that no image needs any more. From memory. */
  layers(): LayerSummary[];
  /** Removes the image with all of its names. Throws Fault('precondition') for a pinned one. Layers that containers still use stay until those are gone. */
  remove(reference: string): Promise<void>;
  /** While held, the image's layers are not collected. The container's id is the holder. */
  hold(imageId: string, holder: string): void;
  release(holder: string): void;
  /** What layers and what writable directories take. They share one file system: the mount points are the same. */
  usage(): Promise<{ images: FilesystemUsage; containers: FilesystemUsage }>;
  readonly snapshots: Snapshotter;
  close(): Promise<void>;
}
