import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import { sleep } from '../ground/wait.ts';
import type { Catalog } from './catalog.ts';
import type { StoreFinding, StoreReport } from './images.ts';
import { LayerAudit } from './layers/audit.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { OverlaySnapshots } from './snapshots.ts';
import type { Trash } from './trash.ts';

/** How a check goes about it. */
export interface CheckOptions {
  /** Sets damaged layers aside, forgets images that lost layers, throws away what no record names. */
  repair: boolean;
  signal: AbortSignal;
  /** Rests as long as it works: for a node that has pods to start. */
  gentle?: boolean;
}

/** Looks through the image store: are all layers whole, and do records and directories belong together? */
export class StoreCheck {
  readonly #root: string;
  readonly #layers: LayerStore;
  readonly #catalog: Catalog;
  readonly #snapshots: OverlaySnapshots;
  readonly #trash: Trash;
  readonly #log: Log;

  constructor(parts: {
    root: string;
    layers: LayerStore;
    catalog: Catalog;
    snapshots: OverlaySnapshots;
    trash: Trash;
    log: Log;
  }) {
    this.#root = parts.root;
    this.#layers = parts.layers;
    this.#catalog = parts.catalog;
    this.#snapshots = parts.snapshots;
    this.#trash = parts.trash;
    this.#log = parts.log;
  }

  /** Reads every layer, in a thread of its own. Rejects with the signal's reason, or when it cannot look at all. */
  async run({ repair, signal, gentle = false }: CheckOptions): Promise<StoreReport> {
    const report: StoreReport = { verified: 0, unverifiable: 0, findings: [] };
    await this.#checkLayers(report, { repair, signal, gentle });
    report.findings.push(
      ...this.forgetIncomplete(repair),
      ...this.#checkSnapshots(),
      ...this.#checkOrphans(repair),
    );
    return report;
  }

  /** Images that lack layers; with `repair` they are no longer listed, so that their next pull fetches what is missing. */
  forgetIncomplete(repair: boolean): StoreFinding[] {
    return this.#catalog.list().flatMap((image): StoreFinding[] => {
      const missing = image.layers.filter((layer) => this.#layers.get(layer) === undefined);
      if (missing.length === 0) return [];
      if (repair) this.#catalog.delete(image.id);
      const names = [...image.repoTags, ...image.repoDigests].slice(0, 3).join(', ') || 'without a name';
      const problem = `${missing.length} of ${image.layers.length} layers are missing (${names})`;
      this.#log.warn({ image: image.id, names, repaired: repair }, 'an image lacks layers');
      return [{ kind: 'image', id: image.id, problem, repaired: repair }];
    });
  }

  async #checkLayers(report: StoreReport, { repair, signal, gentle }: Required<CheckOptions>): Promise<void> {
    await using audit = new LayerAudit();
    const seen = new Set<string>();
    for (const chain of this.#layers.list()) {
      const record = this.#layers.get(chain);
      if (record === undefined || seen.has(record.directory)) continue;
      seen.add(record.directory);
      const begun = performance.now();
      const problem = await this.#damageOf(chain, audit, report, signal);
      // Gone or made anew while it was being read: that is no damage.
      if (problem === undefined || this.#layers.get(chain) !== record) continue;
      if (repair) this.#layers.quarantine(chain);
      report.findings.push({ kind: 'layer', id: chain, problem, repaired: repair });
      this.#log.error({ layer: chain, repaired: repair }, `a layer is damaged: ${problem}`);
      if (gentle) await sleep(performance.now() - begun, signal);
    }
  }

  async #damageOf(
    chain: string,
    audit: LayerAudit,
    report: StoreReport,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (!existsSync(this.#layers.directory(chain))) return 'its directory is missing';
    const layer = this.#layers.onDisk(chain);
    if (layer === undefined) {
      report.unverifiable++;
      return undefined;
    }
    try {
      await audit.verify(layer, signal);
      report.verified++;
      return undefined;
    } catch (error) {
      if (error instanceof Fault && error.kind === 'data-loss') return messageOf(error);
      if (!existsSync(layer.recipe)) return 'its recipe is missing';
      throw error;
    }
  }

  #checkSnapshots(): StoreFinding[] {
    return this.#snapshots.list().flatMap((id): StoreFinding[] => {
      if (existsSync(join(this.#root, 'snapshots', id))) return [];
      const problem = 'the writable layer of this container is missing; remove the container';
      return [{ kind: 'snapshot', id, problem, repaired: false }];
    });
  }

  #checkOrphans(repair: boolean): StoreFinding[] {
    const named = new Set(this.#layers.list().map((chain) => this.#layers.get(chain)!.directory));
    const known = { layers: named, recipes: named, snapshots: new Set(this.#snapshots.list()) };
    // While something is being unpacked, there are directories that have no record yet.
    if (this.#layers.busy) return [];
    const orphans = [
      ...Object.entries(known).flatMap(([part, names]) => this.#othersIn(part, names)),
      ...this.#othersIn('ingest', new Set()),
    ];
    return orphans.map((path) => {
      if (repair) this.#trash.take(join(this.#root, path));
      return { kind: 'orphan', id: path, problem: 'no record names it', repaired: repair };
    });
  }

  #othersIn(part: string, known: ReadonlySet<string>): string[] {
    const path = join(this.#root, part);
    if (!existsSync(path)) return [];
    return readdirSync(path).flatMap((name) => (known.has(name) ? [] : [join(part, name)]));
  }
}
