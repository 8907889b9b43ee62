import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import { isErrno } from '../../native/errno.ts';
import { statfs } from '../../native/node.ts';
import { waitOrAbort } from '../../ground/wait.ts';
import type { RecordTable } from '../../ground/records.ts';
import { DigestCheck } from '../digest.ts';
import { SharedWork } from '../shared-work.ts';
import type { Trash } from '../trash.ts';
import type { ExtractLimits, RootAttributes } from './extract.ts';
import { recipeFile, type Unpacked } from './protocol.ts';
import type { LayerOnDisk } from './rebuild.ts';
import type { RecipeFacts } from './recipe.ts';
import { SetAsideLayers, type SetAsideRecord } from './set-aside.ts';
import type { UnpackPool } from './unpack-pool.ts';

/** So many may have come back between the failure and the question. */
const FEW_INODES = 16;

/** A layer that is unpacked, as the record store keeps it under its chain id. */
export interface LayerRecord {
  /** Name below the layer directory; several chain ids can share one. */
  directory: string;
  diffId: string;
  bytes: number;
  inodes: number;
  /** Attributes of the root, when the layer has an entry for it. */
  root: RootAttributes | undefined;
  /** Whether the directory depends on the layer alone, not on those below it. */
  independent: boolean;
  /** How to make the layer's stream again with `root/recipes/<directory>`. Absent: that cannot be done. */
  recipe?: RecipeFacts | undefined;
}

/** A layer that is wanted, and how to come by it. */
export interface WantedLayer {
  chainId: string;
  diffId: string;
  /** Chain ids of the layers below, lowest first. */
  below: string[];
  /** Digest of the blob; absent when only the diff id is known. */
  digest: string | undefined;
  /** The blob's bytes. */
  open: (signal: AbortSignal) => AsyncIterable<Buffer>;
}

/** What happens to a wanted layer: `bytes` more of its blob have come. */
export type LayerEvent = { bytes: number };

/**
 * The unpacked layers of all images, content addressed, in `root/layers/<short name>`.
 *
 *     (nothing) ── unpack ──> root/ingest/<n> ── sync, rename ──> root/layers/<n> ── record ──> a layer
 *
 * Only a record makes a layer: at the start, whatever has none is thrown away.
 */
export class LayerStore {
  readonly #layers: string;
  readonly #ingest: string;
  readonly #recipes: string;
  readonly #setAside: SetAsideLayers;
  readonly #beforeWriting: () => Promise<void>;
  readonly #table: RecordTable<LayerRecord>;
  readonly #records = new Map<string, LayerRecord>();
  readonly #pool: UnpackPool;
  readonly #trash: Trash;
  readonly #log: Log;
  readonly #byChain = new SharedWork<void, LayerEvent>();
  readonly #byDiff = new SharedWork<Staged, LayerEvent>();
  /** Chain ids that running pulls count on, with how many do. */
  readonly #pins = new Map<string, number>();
  /** Emits the chain id of each layer that gets its record. */
  readonly #recorded = new EventEmitter().setMaxListeners(0);
  #next = 1;
  #written = false;

  constructor(options: {
    root: string;
    table: RecordTable<LayerRecord>;
    pool: UnpackPool;
    trash: Trash;
    log: Log;
    /** Throws away what no record names. Default: it does. */
    sweep?: boolean;
    /** Damaged layers that were set aside, and whether containers may still run on one; default: none does. */
    setAside?: RecordTable<SetAsideRecord>;
    inUse?: (chainId: string) => boolean;
    /** Called before a layer is written. */
    beforeWriting?: () => Promise<void>;
  }) {
    this.#layers = join(options.root, 'layers');
    this.#ingest = join(options.root, 'ingest');
    this.#recipes = join(options.root, 'recipes');
    this.#setAside = new SetAsideLayers(options.root, options.setAside);
    this.#beforeWriting = options.beforeWriting ?? (() => Promise.resolve());
    this.#table = options.table;
    this.#pool = options.pool;
    this.#trash = options.trash;
    this.#log = options.log;
    for (const directory of [this.#layers, this.#ingest, this.#recipes])
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#load();
    if (options.sweep !== false) this.#sweep(options.inUse ?? (() => false));
  }

  get(chainId: string): LayerRecord | undefined {
    return this.#records.get(chainId);
  }

  /** The layer's directory. Throws Fault('not-found'). */
  directory(chainId: string): string {
    const record = this.#records.get(chainId);
    if (record === undefined) throw new Fault('not-found', `The layer ${chainId} is not there`);
    return join(this.#layers, record.directory);
  }

  /** Free bytes of the file system of the layers, once what was thrown away is deleted; `wait` ends the wait for that. */
  async freeBytes(needed: number, wait: AbortSignal): Promise<number> {
    const { freeBytes } = statfs(this.#layers);
    if (freeBytes >= needed) return freeBytes;
    await waitOrAbort(this.#trash.emptied(), wait);
    return statfs(this.#layers).freeBytes;
  }

  /** Whether a layer was written since the store was opened. */
  get written(): boolean {
    return this.#written;
  }

  /** Whether running pulls count on layers. */
  get busy(): boolean {
    return this.#pins.size > 0;
  }

  /**
   * Sets a damaged layer aside: nobody builds on its directory from now on. Containers that run on it keep it. Gives
   * the chain ids that are gone with it.
   */
  quarantine(chainId: string): string[] {
    const damaged = this.#records.get(chainId);
    if (damaged === undefined) return [];
    const gone = [...this.#records].filter(([, { directory }]) => directory === damaged.directory);
    for (const [chain] of gone) {
      this.#table.delete(chain);
      this.#records.delete(chain);
    }
    const { directory: name } = damaged;
    const chains = gone.map(([chain]) => chain);
    this.#setAside.take(join(this.#layers, name), name, chains);
    this.#trash.take(join(this.#recipes, damaged.directory));
    return gone.map(([chain]) => chain);
  }

  /** Forgets those of `chains` whose directories are gone: who counts on them next makes them anew. */
  forgetLost(chains: readonly string[]): void {
    for (const chain of chains) {
      if (!this.#records.has(chain) || existsSync(this.directory(chain))) continue;
      this.#log.warn({ layer: chain }, 'the directory of a layer is missing; the layer is forgotten');
      this.quarantine(chain);
    }
  }

  /** What it takes to read the layer again; undefined when it has no recipe. Throws Fault('not-found'). */
  onDisk(chainId: string): LayerOnDisk | undefined {
    const directory = this.directory(chainId);
    const { recipe: facts, diffId, directory: name } = this.#records.get(chainId)!;
    return facts && { directory, diffId, facts, recipe: join(this.#recipes, name) };
  }

  /** Chain ids of all layers. */
  list(): string[] {
    return [...this.#records.keys()];
  }

  /** Bytes and inodes of all layers, each directory once. */
  usage(): { bytes: number; inodes: number } {
    const directories = new Map([...this.#records.values()].map((record) => [record.directory, record]));
    let [bytes, inodes] = [0, 0];
    for (const record of directories.values()) {
      bytes += record.bytes;
      inodes += record.inodes;
    }
    return { bytes, inodes };
  }

  /** Keeps layers from being collected, also those that are yet to come, until disposed. */
  pin(chains: string[]): Disposable {
    for (const chain of chains) this.#pins.set(chain, (this.#pins.get(chain) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const chain of chains) {
          const left = this.#pins.get(chain)! - 1;
          if (left === 0) this.#pins.delete(chain);
          else this.#pins.set(chain, left);
        }
      },
    };
  }

  /**
   * Makes sure that the layer is there: finds it, joins who is at it, or unpacks it. A layer that takes attributes
   * from those below waits for them, so the caller must ensure these as well, and give all up when one fails.
   */
  async ensure(
    layer: WantedLayer,
    limits: ExtractLimits,
    caller: { signal?: AbortSignal; listener?: (event: LayerEvent) => void },
  ): Promise<void> {
    await this.#byChain.joinOrRetry(layer.chainId, caller, async (signal, tell) => {
      while (!this.#records.has(layer.chainId)) {
        if (this.#shareWithTwin(layer)) return;
        const inner = { signal, listener: tell };
        const staged = await this.#byDiff.joinOrRetry(layer.diffId, inner, (innerSignal, innerTell) =>
          this.#stage(layer, limits, innerSignal, innerTell),
        );
        await this.#commit(staged, layer, signal);
      }
    });
  }

  /** Throws away every layer that is neither in `used` nor pinned. */
  collect(used: Set<string>): void {
    for (const [chainId, record] of this.#records) {
      if (used.has(chainId) || this.#pins.has(chainId)) continue;
      this.#forget(chainId, record);
      this.#log.debug({ layer: chainId }, 'layer removed');
    }
  }

  #forget(chainId: string, { directory }: LayerRecord): void {
    this.#table.delete(chainId);
    this.#records.delete(chainId);
    if (this.#records.values().some((other) => other.directory === directory)) return;
    this.#trash.take(join(this.#layers, directory));
    this.#trash.take(join(this.#recipes, directory));
  }

  /** A layer of the same content above other layers is the same directory, if it stands for itself. */
  #shareWithTwin({ chainId, diffId }: WantedLayer): boolean {
    const twin = this.#records.values().find((record) => record.diffId === diffId && record.independent);
    if (twin !== undefined) this.#record(chainId, twin);
    return twin !== undefined;
  }

  async #stage(
    layer: WantedLayer,
    limits: ExtractLimits,
    signal: AbortSignal,
    tell: (event: LayerEvent) => void,
  ): Promise<Staged> {
    this.#written = true;
    const name = (this.#next++).toString(36);
    const directory = join(this.#ingest, name);
    try {
      await this.#beforeWriting();
      mkdirSync(directory, { mode: 0o755 });
      const unpacked = await this.#unpack(layer, directory, limits, signal, tell);
      const staged: Staged = { name, directory, unpacked, committed: undefined };
      // Those who wait take it in the same turn of the event loop; if all of them have left, nobody ever will.
      setImmediate(() => {
        if (staged.committed === undefined) this.#discard(directory);
      });
      return staged;
    } catch (error) {
      // Before what was written goes away again.
      const fault = this.#withRoom(error);
      this.#discard(directory);
      throw fault;
    }
  }

  /** Says what there was no room for, when that is why it failed. */
  #withRoom(error: unknown): unknown {
    const full = isErrno(error, 'ENOSPC', 'EDQUOT');
    if (!full && !(error instanceof Fault && /\bENOSPC\b/.test(error.message))) return error;
    const { totalInodes, freeInodes } = statfs(this.#layers);
    if (totalInodes > 0 && freeInodes < FEW_INODES) {
      return new Fault('exhausted', 'There are no inodes left for the files of a layer', {
        hint: `the file system has ${totalInodes} inodes for all of its files; remove images or containers, or make it anew with more`,
        cause: error,
      });
    }
    return full ? new Fault('exhausted', 'There is no room for a layer', { cause: error }) : error;
  }

  async #unpack(
    layer: WantedLayer,
    directory: string,
    limits: ExtractLimits,
    signal: AbortSignal,
    tell: (event: LayerEvent) => void,
  ): Promise<Unpacked> {
    const check = layer.digest === undefined ? undefined : new DigestCheck(layer.digest);
    const stream = this.#pool.open(directory, limits, layer.diffId.slice(0, layer.diffId.indexOf(':')));
    try {
      for await (const chunk of layer.open(signal)) {
        signal.throwIfAborted();
        check?.update(chunk);
        await stream.write(chunk);
        tell({ bytes: chunk.length });
      }
      // Damaged bytes are the better reason when they are also why the layer could not be unpacked.
      check?.verify(`the blob of layer ${layer.digest}`);
      const unpacked = await waitOrAbort(stream.end(), signal);
      if (unpacked.diffId === layer.diffId) return unpacked;
      throw new Fault('data-loss', `The content of a layer is ${unpacked.diffId}, expected ${layer.diffId}`);
    } finally {
      stream.abandon();
    }
  }

  /** The first who comes takes the staged directory; the others find its record, or begin anew. */
  async #commit(staged: Staged, layer: WantedLayer, signal: AbortSignal): Promise<void> {
    if (staged.committed !== undefined) {
      // Another chain's failure is not ours: we begin anew.
      await staged.committed.catch(() => {});
      return;
    }
    staged.committed = this.#settle(staged, layer, signal);
    await staged.committed;
  }

  async #settle(staged: Staged, layer: WantedLayer, signal: AbortSignal): Promise<void> {
    const { name, directory, unpacked } = staged;
    const independent = unpacked.implicit.length === 0;
    const final = join(this.#layers, name);
    const recipe = join(this.#recipes, name);
    try {
      for (const chain of independent ? [] : layer.below) {
        if (!this.#records.has(chain)) await once(this.#recorded, chain, { signal });
      }
      const lower = independent ? [] : layer.below.map((chain) => this.directory(chain)).toReversed();
      const to = unpacked.recipe && recipe;
      await this.#pool.settle({ directory, final, recipe: to, implicit: unpacked.implicit, lower });
    } catch (error) {
      this.#discard(directory);
      this.#trash.take(final);
      this.#trash.take(recipe);
      throw error;
    }
    const { bytes, inodes, root, droppedXattrs, recipe: facts } = unpacked;
    if (droppedXattrs > 0) this.#log.warn({ layer: layer.chainId, droppedXattrs }, 'attributes not kept');
    const { diffId, chainId } = layer;
    this.#record(chainId, { directory: name, diffId, bytes, inodes, root, independent, recipe: facts });
  }

  /** Takes away what was unpacked and got no record. */
  #discard(directory: string): void {
    this.#trash.take(directory);
    this.#trash.take(recipeFile(directory));
  }

  #record(chainId: string, record: LayerRecord): void {
    this.#table.put(chainId, record);
    this.#records.set(chainId, record);
    this.#recorded.emit(chainId);
  }

  #load(): void {
    for (const { id, value } of this.#table.all()) this.#records.set(id, value);
    for (const directory of [this.#layers, this.#recipes, this.#ingest, this.#setAside.directory]) {
      for (const name of readdirSync(directory))
        this.#next = Math.max(this.#next, Number.parseInt(name, 36) + 1 || 0);
    }
  }

  #sweep(inUse: (chainId: string) => boolean): void {
    const there = new Set(readdirSync(this.#layers));
    for (const [id, { directory }] of this.#records) {
      if (there.has(directory)) continue;
      this.#log.warn({ layer: id }, 'the directory of a layer is missing; the layer is forgotten');
      this.#table.delete(id);
      this.#records.delete(id);
    }
    const known = new Set(this.#records.values().map((record) => record.directory));
    this.#setAside.sweep(inUse, this.#trash);
    for (const [directory, kept] of [
      [this.#ingest, new Set<string>()],
      [this.#layers, known],
      [this.#recipes, known],
    ] as const)
      for (const name of readdirSync(directory)) if (!kept.has(name)) this.#trash.take(join(directory, name));
  }
}

/** An unpacked layer that has no record yet. */
interface Staged {
  name: string;
  directory: string;
  unpacked: Unpacked;
  /** Set by the one who takes it. */
  committed: Promise<void> | undefined;
}
