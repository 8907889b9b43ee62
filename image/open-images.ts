import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { Limit } from '../ground/limit.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore } from '../ground/records.ts';
import type { StageSink } from '../ground/stages.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { ArchiveLoader } from './archive/load.ts';
import { Catalog, type StoredImage } from './catalog.ts';
import type { FilesystemUsage, ImageRecord, Images, Snapshotter } from './images.ts';
import { Installer } from './install.ts';
import { LayerStore, type LayerRecord } from './layers/layer-store.ts';
import { UnpackPool } from './layers/unpack-pool.ts';
import { Puller, type PullOptions } from './pull.ts';
import { DEFAULT_LIMITS, type TransferLimits } from './registry/transport.ts';
import { OverlaySnapshots, type SnapshotRecord } from './snapshots.ts';
import { Trash } from './trash.ts';
import { TRUST_ALL, VerifierPrograms, type Verifier } from './trust/verifiers.ts';

/** What of the room can be configured. */
export interface ImagesConfig {
  /** Directory of `<host>/hosts.toml` files; empty for none. */
  registryConfigDir: string;
  /** The node's credential files, for pulls whose caller brings none; the first entry that fits serves. */
  authFiles: string[];
  /** Layers that are downloaded at once, over all pulls. */
  maxConcurrentDownloads: number;
  /** Bound on the unpacked bytes of one image. */
  maxImageBytes: number;
  /** Bound on the files of one layer. Default 4 million. */
  maxLayerEntries?: number;
  /** Directory of programs that decide which images may be used; empty for none. */
  verifierDir: string;
  /** For each of them. */
  verifierTimeoutMs: number;
  /** Waits and tries of transfers, where the defaults do not fit. */
  transfer?: Partial<TransferLimits>;
}

export interface OpenImagesOptions {
  /** An existing directory on a file system that can serve as overlayfs's upper one, such as ext4 or xfs. */
  root: string;
  records: RecordStore;
  log: Log;
  stages: StageSink;
  exits: ExitWatcher;
  config: ImagesConfig;
}

const DEFAULT_MAX_ENTRIES = 4_000_000;
/** Time for the rooms above to say what they hold, before layers that nobody needs are looked for. */
const FIRST_COLLECTION_MS = 60_000;
/** Layers of a failed pull wait this long for its retry. */
const KEEP_FAILED_MS = 600_000;

/** Opens the image store under `root`: what a dead process left half done is thrown away. */
export async function openImages(options: OpenImagesOptions): Promise<Images> {
  const { root, records, log, config } = options;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const trash = new Trash(join(root, 'trash'), log);
  const pool = new UnpackPool();
  const layers = new LayerStore({ root, table: records.table<LayerRecord>('layers'), pool, trash, log });
  const catalog = new Catalog(records.table<StoredImage>('images'));
  const installer = new Installer({
    layers,
    catalog,
    downloads: new Limit(config.maxConcurrentDownloads),
    limits: { bytes: config.maxImageBytes, entries: config.maxLayerEntries ?? DEFAULT_MAX_ENTRIES },
  });
  const verifier = await openVerifier(options);
  return new Store({ ...options, trash, pool, layers, catalog, installer, verifier });
}

async function openVerifier({ root, exits, log, config }: OpenImagesOptions): Promise<Verifier> {
  const { verifierDir: directory, verifierTimeoutMs: timeoutMs } = config;
  if (directory === '') return TRUST_ALL;
  const verifier = new VerifierPrograms({ directory, store: root, timeoutMs, exits, log });
  await verifier.sweep();
  return verifier;
}

/** The parts of the room, put together. */
class Store implements Images {
  readonly snapshots: Snapshotter;
  readonly #snapshots: OverlaySnapshots;
  readonly #root: string;
  readonly #trash: Trash;
  readonly #pool: UnpackPool;
  readonly #layers: LayerStore;
  readonly #catalog: Catalog;
  readonly #puller: Puller;
  readonly #loader: ArchiveLoader;
  /** Layers of held images, by holder. */
  readonly #holds = new Map<string, string[]>();
  readonly #closing = new AbortController();
  #collection: NodeJS.Immediate | undefined;
  #laterCollection: NodeJS.Timeout | undefined;

  constructor(
    parts: OpenImagesOptions & {
      trash: Trash;
      pool: UnpackPool;
      layers: LayerStore;
      catalog: Catalog;
      installer: Installer;
      verifier: Verifier;
    },
  ) {
    const { root, records, log, stages, config, trash, pool, layers, catalog, installer, verifier } = parts;
    this.#root = root;
    this.#trash = trash;
    this.#pool = pool;
    this.#layers = layers;
    this.#catalog = catalog;
    this.#puller = new Puller({
      layers,
      catalog,
      installer,
      stages,
      log,
      registryConfigDir: config.registryConfigDir,
      authFiles: config.authFiles,
      transfer: { ...DEFAULT_LIMITS, ...config.transfer },
      verifier,
      warm: () => pool.warm(),
    });
    this.#loader = new ArchiveLoader({
      installer,
      directory: join(root, 'ingest'),
      maxBytes: config.maxImageBytes,
    });
    this.#snapshots = this.snapshots = new OverlaySnapshots({
      root,
      layers,
      trash,
      log,
      table: records.table<SnapshotRecord>('snapshots'),
      removed: () => this.#collectSoon(),
    });
    this.#collectIn(FIRST_COLLECTION_MS);
  }

  async pull(reference: string, { signal, ...options }: PullOptions): Promise<ImageRecord> {
    try {
      return await this.#puller.pull(reference, { ...options, signal: this.#until(signal) });
    } catch (error) {
      this.#collectIn(KEEP_FAILED_MS);
      throw error;
    }
  }

  pulls(): ReturnType<Images['pulls']> {
    return this.#puller.pulls();
  }

  async load(
    file: string,
    { signal, name }: { signal?: AbortSignal; name?: string },
  ): Promise<ImageRecord[]> {
    return this.#loader.load(file, { signal: this.#until(signal), name });
  }

  find(reference: string): ImageRecord | undefined {
    return this.#catalog.find(reference);
  }

  list(): ImageRecord[] {
    return this.#catalog.list();
  }

  async remove(reference: string): Promise<void> {
    const image = this.#catalog.find(reference);
    if (image === undefined) return;
    this.#catalog.delete(image.id);
    this.#collectSoon();
  }

  hold(imageId: string, holder: string): void {
    // An image that was removed under its container has no layers to hold but those of the container's snapshot.
    this.#holds.set(holder, this.#catalog.get(imageId)?.layers ?? []);
  }

  release(holder: string): void {
    if (this.#holds.delete(holder)) this.#collectSoon();
  }

  async usage(): Promise<FilesystemUsage> {
    const { bytes, inodes } = this.#layers.usage();
    return { mountpoint: this.#root, usedBytes: bytes, inodesUsed: inodes };
  }

  async close(): Promise<void> {
    this.#closing.abort(new Fault('unavailable', 'The image store is closed'));
    clearTimeout(this.#laterCollection);
    clearImmediate(this.#collection);
    await this.#pool.close();
    await this.#trash.close();
  }

  #collectIn(ms: number): void {
    clearTimeout(this.#laterCollection);
    this.#laterCollection = setTimeout(() => this.#collectSoon(), ms).unref();
  }

  /** Once however many images and snapshots go in one turn of the event loop. */
  #collectSoon(): void {
    if (this.#closing.signal.aborted) return;
    this.#collection ??= setImmediate(() => {
      this.#collection = undefined;
      const images = this.#catalog.list().flatMap((image) => image.layers);
      const held = [...this.#holds.values()].flat();
      this.#layers.collect(new Set([...images, ...held, ...this.#snapshots.layersInUse()]));
    });
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }
}
