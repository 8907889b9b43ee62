import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import { Notices } from '../ground/notices.ts';
import type { RecordStore } from '../ground/records.ts';
import type { StageSink } from '../ground/stages.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { ArchiveLoader } from './archive/load.ts';
import { ArchiveSaver } from './archive/save.ts';
import { Catalog, type StoredImage } from './catalog.ts';
import { StoreCheck } from './check.ts';
import type {
  FilesystemUsage,
  ImageDetails,
  ImageRecord,
  Images,
  LayerSummary,
  SaveOptions,
  Snapshotter,
  StoreFinding,
  StoreReport,
} from './images.ts';
import { Installer } from './install.ts';
import { LayerStore, type LayerRecord } from './layers/layer-store.ts';
import type { SetAsideRecord } from './layers/set-aside.ts';
import { UnpackPool } from './layers/unpack-pool.ts';
import { type LiveImagesConfig, LiveSettings } from './live-settings.ts';
import { pinnedBy } from './pinned.ts';
import { Puller, type PullOptions } from './pull.ts';
import { DEFAULT_LIMITS, type TransferLimits } from './registry/transport.ts';
import { OverlaySnapshots, type SnapshotRecord } from './snapshots.ts';
import { Trash } from './trash.ts';
import { UncleanMark } from './unclean.ts';
import { TRUST_ALL, VerifierPrograms, type Verifier } from './trust/verifiers.ts';

/** What of the room can be configured. */
export interface ImagesConfig extends LiveImagesConfig {
  /** Bound on the files of one layer. Default 4 million. */
  maxLayerEntries?: number;
  /** Directory of programs that decide which images may be used; empty for none. */
  verifierDir: string;
  /** For each of them. */
  verifierTimeoutMs: number;
  /** Bytes that the writable layer of a container may take; 0 or absent: as much as it likes. */
  writableLayerLimit?: number;
  /** Waits and tries of transfers, where the defaults do not fit. */
  transfer?: Partial<TransferLimits>;
}

/** The room, with what can change while it works. Throws Fault `invalid` for a pattern that names no image. */
export interface LiveImages extends Images {
  reconfigure(config: LiveImagesConfig): void;
}

export interface OpenImagesOptions {
  /** An existing directory on a file system that can serve as overlayfs's upper one, such as ext4 or xfs. */
  root: string;
  records: RecordStore;
  log: Log;
  /** Where what a person should know goes. */
  notices?: Notices;
  stages: StageSink;
  exits: ExitWatcher;
  config: ImagesConfig;
  /** The kernel's name for this boot. */
  bootId: string;
  /** Changes nothing at the start: for a look at a store as the last run left it. */
  inspectOnly?: boolean;
}

const DEFAULT_MAX_ENTRIES = 4_000_000;
/** Time for the rooms above to say what they hold, before layers that nobody needs are looked for. */
const FIRST_COLLECTION_MS = 60_000;
/** Writable layers that are not measured by then count later. */
const USAGE_PATIENCE_MS = 1_000;
/** Layers of a failed pull wait this long for its retry. */
const KEEP_FAILED_MS = 600_000;

/** Opens the image store under `root`: what a dead process left half done is thrown away. */
export async function openImages(options: OpenImagesOptions): Promise<LiveImages> {
  const { root, records, log, config } = options;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const trash = new Trash(join(root, 'trash'), log);
  const pool = new UnpackPool();
  const mark = new UncleanMark(root, options.bootId);
  const layers = new LayerStore({
    root,
    table: records.table<LayerRecord>('layers'),
    pool,
    trash,
    log,
    sweep: options.inspectOnly !== true,
    setAside: records.table<SetAsideRecord>('layers-set-aside'),
    inUse: usedBySnapshots(records),
    beforeWriting: () => mark.set(),
  });
  const catalog = new Catalog(records.table<StoredImage>('images'), pinnedBy(config.pinned ?? []));
  const live = new LiveSettings(config, config.maxLayerEntries ?? DEFAULT_MAX_ENTRIES);
  const installer = new Installer({
    layers,
    catalog,
    downloads: live.downloads,
    limits: live.limits,
  });
  const verifier = await openVerifier(options);
  return new Store({ ...options, trash, pool, layers, catalog, installer, verifier, mark, live });
}

/** Whether a snapshot was made on the layer. */
function usedBySnapshots(records: RecordStore): (chainId: string) => boolean {
  const snapshots = records.table<SnapshotRecord>('snapshots').all();
  const used = new Set(snapshots.flatMap(({ value }) => value.layers));
  return (chainId) => used.has(chainId);
}

async function openVerifier({ root, exits, log, config }: OpenImagesOptions): Promise<Verifier> {
  const { verifierDir: directory, verifierTimeoutMs: timeoutMs } = config;
  if (directory === '') return TRUST_ALL;
  const verifier = new VerifierPrograms({ directory, store: root, timeoutMs, exits, log });
  await verifier.sweep();
  return verifier;
}

/** The parts of the room, put together. */
class Store implements LiveImages {
  readonly snapshots: Snapshotter;
  readonly #snapshots: OverlaySnapshots;
  readonly #root: string;
  readonly #trash: Trash;
  readonly #pool: UnpackPool;
  readonly #layers: LayerStore;
  readonly #catalog: Catalog;
  readonly #puller: Puller;
  readonly #loader: ArchiveLoader;
  readonly #saver: ArchiveSaver;
  readonly #check: StoreCheck;
  readonly #mark: UncleanMark;
  readonly #live: LiveSettings;
  readonly #log: Log;
  readonly #notices: Notices;
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
      mark: UncleanMark;
      live: LiveSettings;
    },
  ) {
    const { root, records, log, stages, config, trash, pool, layers, catalog, installer, verifier } = parts;
    this.#live = parts.live;
    this.#mark = parts.mark;
    this.#log = log;
    this.#notices = parts.notices ?? new Notices();
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
      access: parts.live.access,
      transfer: { ...DEFAULT_LIMITS, ...config.transfer },
      verifier,
      exits: parts.exits,
      warm: () => pool.warm(),
    });
    this.#loader = new ArchiveLoader({
      installer,
      directory: join(root, 'ingest'),
      limits: parts.live.limits,
    });
    this.#snapshots = this.snapshots = new OverlaySnapshots({
      root,
      layers,
      trash,
      log,
      table: records.table<SnapshotRecord>('snapshots'),
      sweep: parts.inspectOnly !== true,
      removed: () => this.#collectSoon(),
      limit: config.writableLayerLimit,
    });
    if (parts.inspectOnly !== true) this.#tellQuota(config.writableLayerLimit ?? 0);
    this.#saver = new ArchiveSaver(layers);
    this.#check = new StoreCheck({ root, layers, catalog, snapshots: this.#snapshots, trash, log });
    if (parts.inspectOnly !== true) this.#begin();
  }

  /** What the last run may have left: images that lost layers; after a node went down, damage that nobody has seen. */
  #begin(): void {
    const incomplete = this.#check.forgetIncomplete(true);
    this.#tellRepairs(incomplete);
    this.#collectIn(incomplete.length > 0 ? KEEP_FAILED_MS : FIRST_COLLECTION_MS);
    if (this.#mark.nodeWentDown) void this.#checkAfterCrash();
  }

  #tellQuota(limit: number): void {
    const { accounting, enforcing, hint } = this.#snapshots.quotaSupport;
    const facts = { root: this.#root, accounting, enforcing, limit };
    if (limit > 0 && !enforcing)
      this.#log.error({ ...facts, hint }, 'writable layers cannot be limited here: no container can be made');
    else this.#log.info(facts, 'project quotas of the image store');
  }

  async #checkAfterCrash(): Promise<void> {
    this.#log.warn({}, 'the node went down while layers were written: looking through the image store');
    try {
      const report = await this.check({ repair: true, gentle: true });
      const { verified, unverifiable, findings } = report;
      this.#log.info(
        { verified, unverifiable, damaged: findings.length },
        'the image store was looked through',
      );
      await this.#mark.clear();
      if (this.#layers.written) await this.#mark.set();
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#tellUnchecked(messageOf(error));
    }
  }

  #tellUnchecked(reason: string): void {
    this.#log.error({ reason }, 'the image store could not be looked through');
    this.#notices.add(
      'store-unchecked',
      `The node went down while layers were written, and the image store could not be looked through: ${reason}`,
    );
  }

  #tellRepairs(findings: readonly StoreFinding[]): void {
    const repaired = findings.filter((finding) => finding.repaired && finding.kind !== 'orphan');
    if (repaired.length === 0) return;
    const shown = repaired
      .slice(0, 3)
      .map(({ kind, id, problem }) => `${kind} ${id.slice(0, 19)}: ${problem}`);
    const rest = repaired.length > 3 ? `; and ${repaired.length - 3} more` : '';
    this.#notices.add('store-repaired', `The image store was repaired: ${shown.join('; ')}${rest}`);
  }

  reconfigure(config: LiveImagesConfig): void {
    this.#live.change(config);
    this.#catalog.repin(pinnedBy(config.pinned ?? []));
  }

  async pull(reference: string, { signal, ...options }: PullOptions): Promise<ImageRecord> {
    try {
      return await this.#puller.pull(reference, { ...options, signal: this.#until(signal) });
    } catch (error) {
      this.#collectIn(KEEP_FAILED_MS);
      if (error instanceof Fault && error.kind === 'exhausted') this.#notices.add('no-room', error.message);
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

  async save(references: string[], file: string, options: SaveOptions): Promise<void> {
    const images = references.map((reference) => this.#need(reference));
    const { format = 'oci', compression = 'none' } = options;
    using _pinned = this.#layers.pin(images.flatMap(({ layers }) => layers));
    const signal = this.#until(options.signal);
    await this.#saver.save([...new Set(images)], file, { format, compression, signal });
  }

  inspect(reference: string): ImageDetails {
    const { manifest, configBlob, ...image } = this.#need(reference);
    const layers = image.layers.map((chainId) => {
      const { diffId, bytes, inodes } = this.#layers.get(chainId)!;
      return { chainId, diffId, bytes, inodes, directory: this.#layers.directory(chainId) };
    });
    return { image, manifest, configBlob, layers };
  }

  async check(options: { repair: boolean; signal?: AbortSignal; gentle?: boolean }): Promise<StoreReport> {
    const report = await this.#check.run({ ...options, signal: this.#until(options.signal) });
    // Layers of images that lost others wait for the next pull.
    if (options.repair && report.findings.length > 0) this.#collectIn(KEEP_FAILED_MS);
    if (options.repair) this.#tellRepairs(report.findings);
    return report;
  }

  find(reference: string): ImageRecord | undefined {
    return this.#catalog.find(reference);
  }

  list(): ImageRecord[] {
    return this.#catalog.list();
  }

  layers(): LayerSummary[] {
    return this.#layers.list().map((chainId) => {
      const { directory, bytes } = this.#layers.get(chainId)!;
      return { chainId, content: directory, bytes };
    });
  }

  async remove(reference: string): Promise<void> {
    const image = this.#catalog.find(reference);
    if (image === undefined) return;
    if (image.pinned) {
      throw new Fault('precondition', 'A pinned image is not removed', {
        subject: `image ${reference}`,
        hint: 'take it out of image.pinned in the configuration first',
      });
    }
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

  async usage(): ReturnType<Images['usage']> {
    const asUsage = ({ bytes, inodes }: { bytes: number; inodes: number }): FilesystemUsage => ({
      mountpoint: this.#root,
      usedBytes: bytes,
      inodesUsed: inodes,
    });
    const containers = await this.#snapshots.total(USAGE_PATIENCE_MS);
    return { images: asUsage(this.#layers.usage()), containers: asUsage(containers) };
  }

  async close(): Promise<void> {
    this.#closing.abort(new Fault('unavailable', 'The image store is closed'));
    clearTimeout(this.#laterCollection);
    clearImmediate(this.#collection);
    await this.#pool.close();
    await this.#trash.close();
    // Every layer that has a record was synced before it got it.
    if (!this.#mark.nodeWentDown) await this.#mark.clear();
  }

  #need(reference: string): StoredImage {
    const image = this.#catalog.find(reference);
    if (image !== undefined) return image;
    throw new Fault('not-found', `The image ${JSON.stringify(reference)} is not on this node`);
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
