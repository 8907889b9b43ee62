import { Fault } from '../ground/fault.ts';
import type { Limit } from '../ground/limit.ts';
import type { Stage } from '../ground/stages.ts';
import type { Catalog, StoredImage } from './catalog.ts';
import type { PullProgress } from './images.ts';
import { chainIds } from './layers/chain.ts';
import type { ExtractLimits } from './layers/extract.ts';
import type { LayerEvent, LayerStore } from './layers/layer-store.ts';
import { parseConfigBlob } from './manifest.ts';
import { checkPlatform } from './platform.ts';
import { PullCounters } from './pull-progress.ts';

/** An image whose documents are at hand and whose layers are still to come. */
export interface ResolvedImage {
  id: string;
  manifest: string;
  configBlob: Buffer;
  /** Digests that led here: index and manifest. */
  targets: string[];
  /** In the manifest's order, lowest first; without `digest` the layer's blob is verified by its diff id alone. */
  layers: {
    size: number;
    digest: string | undefined;
    open: (signal: AbortSignal) => AsyncIterable<Buffer>;
    /** What came was damaged: whether to `open` it again, from another place. */
    again?: () => boolean;
  }[];
  tags: string[];
  digests: string[];
}

export interface InstallOptions {
  signal: AbortSignal;
  stage: (stage: Stage) => void;
  progress: (progress: PullProgress) => void;
}

/** Brings the layers of a resolved image into the store and lists the image. Registries and archives both end here. */
export class Installer {
  readonly #layers: LayerStore;
  readonly #catalog: Catalog;
  readonly #downloads: Limit;
  readonly #limits: ExtractLimits;

  constructor(options: { layers: LayerStore; catalog: Catalog; downloads: Limit; limits: ExtractLimits }) {
    this.#layers = options.layers;
    this.#catalog = options.catalog;
    this.#downloads = options.downloads;
    this.#limits = options.limits;
  }

  /**
   * The stages `fetch`, `unpack` and `commit` of PullImage. Throws Fault('invalid') when manifest and configuration
   * do not belong together, Fault('exhausted') when the image is larger than the limits.
   */
  async install(image: ResolvedImage, { signal, stage, progress }: InstallOptions): Promise<StoredImage> {
    const { config, diffIds, platform } = parseConfigBlob(image.configBlob);
    checkPlatform(platform);
    if (diffIds.length !== image.layers.length) {
      throw new Fault(
        'invalid',
        `The image has ${image.layers.length} layers and ${diffIds.length} diff ids`,
      );
    }
    const chains = chainIds(diffIds);
    using _pinned = this.#layers.pin(chains);
    this.#layers.forgetLost(chains);
    const counters = new PullCounters(image.layers, progress);
    stage('fetch');
    const room = await this.#checkRoom(image, chains, signal);
    counters.fetched = () => stage('unpack');
    try {
      await allOrNone(signal, chains.length, (i, inner) =>
        this.#layer(image, diffIds, chains, i, inner, counters),
      );
    } catch (error) {
      throw withRoom(error, room);
    }
    stage('commit');
    return await this.#catalog.add(
      {
        id: image.id,
        size: this.#size(chains),
        layers: chains,
        config,
        targets: image.targets,
        manifest: image.manifest,
        configBlob: image.configBlob.toString('utf8'),
      },
      image.tags,
      image.digests,
    );
  }

  /** Unpacked, layers take at least what their blobs have: what cannot end well is not begun. */
  async #checkRoom(image: ResolvedImage, chains: string[], signal: AbortSignal): Promise<Room> {
    const missing = image.layers.filter((_, i) => this.#layers.get(chains[i]!) === undefined);
    const needed = missing.reduce((sum, { size }) => sum + size, 0);
    const free = needed === 0 ? 0 : await this.#layers.freeBytes(needed, signal);
    if (free >= needed) return { needed, free };
    throw new Fault('exhausted', `The image needs at least ${needed} bytes, and ${free} are free`, {
      hint: 'remove images or containers, or give the node a larger disk',
    });
  }

  async #layer(
    image: ResolvedImage,
    diffIds: string[],
    chains: string[],
    i: number,
    signal: AbortSignal,
    counters: PullCounters,
  ): Promise<void> {
    const source = image.layers[i]!;
    const wanted = {
      chainId: chains[i]!,
      diffId: diffIds[i]!,
      below: chains.slice(0, i),
      digest: source.digest,
      open: (inner: AbortSignal) => this.#limited(source.open, inner),
    };
    const caller = { signal, listener: ({ bytes }: LayerEvent) => counters.add(i, bytes) };
    for (;;) {
      try {
        await this.#layers.ensure(wanted, this.#limits, caller);
        break;
      } catch (error) {
        const damaged = error instanceof Fault && error.kind === 'data-loss';
        if (!damaged || signal.aborted || source.again?.() !== true) throw error;
        counters.restart(i);
      }
    }
    counters.done(i);
    this.#size(chains);
  }

  /** The source's bytes, once fewer than the configured number of downloads are running. */
  async *#limited(
    open: (signal: AbortSignal) => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const over = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const turn = this.#downloads.run(() => {
      entered.resolve();
      return over.promise;
    }, signal);
    turn.catch(entered.reject);
    await entered.promise;
    try {
      yield* open(signal);
    } finally {
      over.resolve();
    }
  }

  #size(chains: string[]): number {
    const size = [...new Set(chains)].reduce((sum, chain) => sum + (this.#layers.get(chain)?.bytes ?? 0), 0);
    if (size <= this.#limits.bytes) return size;
    throw new Fault('exhausted', `The image unpacks to more than ${this.#limits.bytes} bytes`);
  }
}

interface Room {
  /** Bytes of the blobs that are to come. */
  needed: number;
  /** When the work began. */
  free: number;
}

/** Says what was needed, when the disk was too small for it. */
function withRoom(error: unknown, { needed, free }: Room): unknown {
  if (!(error instanceof Fault) || !/\b(ENOSPC|EDQUOT)\b/.test(error.message)) return error;
  // It knows better: bytes are not what was missing.
  if (error.hint !== undefined) return error;
  const hint = `the image's missing layers have ${needed} bytes compressed, ${free} were free; remove images or containers`;
  return new Fault('exhausted', error.what, { subject: error.subject, hint, cause: error.cause });
}

/** All at once; the first failure tells the others to stop, and is what this rejects with. */
async function allOrNone(
  signal: AbortSignal,
  count: number,
  work: (index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  const guarded = async (index: number): Promise<void> => {
    try {
      await work(index, inner);
    } catch (error) {
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => guarded(index)));
  signal.throwIfAborted();
  stop.signal.throwIfAborted();
}
