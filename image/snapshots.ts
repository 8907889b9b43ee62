import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordTable } from '../ground/records.ts';
import { isErrno } from '../native/errno.ts';
import { mountOverlay, umount } from '../native/mount.ts';
import { treeUsage } from './disk-usage.ts';
import type { FilesystemUsage, Snapshotter } from './images.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { Trash } from './trash.ts';

/** A snapshot as the record store keeps it under its id. */
export interface SnapshotRecord {
  layers: string[];
  /** It only shows its layers. */
  view?: boolean;
}

const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/**
 * Writable directories above layers, as overlay mounts: `root/snapshots/<id>/fs` takes the changes, `work` is the
 * kernel's.
 *
 * Mounts are `volatile` (overlayfs.rst): without it, every unmount writes out the whole file system below (17 ms
 * against 0.3 beside a neighbour with 50 MB to write, seconds beside a busy one). What a container wrote is not kept across power loss anyway: after a
 * reboot its containers are over, and their directories are only removed. The kernel's mark against a second mount
 * after a crash is taken away before each mount, because a crash of the daemon alone loses nothing.
 */
export class OverlaySnapshots implements Snapshotter {
  readonly #directory: string;
  /** Stands below snapshots that have no layer: overlayfs wants one. */
  readonly #empty: string;
  readonly #table: RecordTable<SnapshotRecord>;
  readonly #records = new Map<string, SnapshotRecord>();
  readonly #layers: LayerStore;
  readonly #trash: Trash;
  readonly #removed: () => void;

  constructor(options: {
    root: string;
    table: RecordTable<SnapshotRecord>;
    layers: LayerStore;
    trash: Trash;
    log: Log;
    /** Throws away what no record names. Default: it does. */
    sweep?: boolean;
    /** Called when a snapshot no longer needs its layers. */
    removed: () => void;
  }) {
    this.#directory = join(options.root, 'snapshots');
    this.#empty = join(options.root, 'empty');
    this.#table = options.table;
    this.#layers = options.layers;
    this.#trash = options.trash;
    this.#removed = options.removed;
    for (const path of [this.#directory, this.#empty]) mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const { id, value } of this.#table.all()) this.#records.set(id, value);
    if (options.sweep !== false) this.#sweep();
  }

  prepare(id: string, layers: string[]): void {
    this.#prepare(id, { layers });
  }

  prepareView(id: string, layers: string[]): void {
    this.#prepare(id, { layers, view: true });
  }

  volume(id: string, name: string): string {
    if (!this.#records.has(id)) throw new Fault('not-found', `The snapshot ${id} is not there`);
    if (!ID.test(name)) throw new Fault('invalid', `${JSON.stringify(name)} is no name of a volume`);
    const directory = join(this.#directory, id, 'volumes', name);
    mkdirSync(join(this.#directory, id, 'volumes'), { recursive: true, mode: 0o711 });
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    return directory;
  }

  #prepare(id: string, record: SnapshotRecord): void {
    const { layers, view } = record;
    if (!ID.test(id)) throw new Fault('invalid', `${JSON.stringify(id)} is no id of a snapshot`);
    if (this.#records.has(id)) throw new Fault('exists', `The snapshot ${id} is already there`);
    for (const layer of layers) this.#layers.directory(layer);
    this.#table.put(id, record);
    this.#records.set(id, record);
    try {
      if (view === true) mkdirSync(join(this.#directory, id), { mode: 0o700 });
      else this.#makeDirectories(id, layers);
    } catch (error) {
      this.remove(id);
      throw error;
    }
  }

  #makeDirectories(id: string, layers: string[]): void {
    const place = join(this.#directory, id);
    mkdirSync(place, { mode: 0o700 });
    const upper = join(place, 'fs');
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(join(place, 'work'), { mode: 0o700 });
    // The root directory that the container sees is this one: it takes its attributes from the image.
    const root = layers.toReversed().flatMap((layer) => this.#layers.get(layer)?.root ?? [])[0];
    if (root === undefined) return;
    chownSync(upper, root.uid, root.gid);
    chmodSync(upper, root.mode);
  }

  mount(id: string, target: string): void {
    const record = this.#records.get(id);
    if (record === undefined) throw new Fault('not-found', `The snapshot ${id} is not there`);
    // Topmost first; overlayfs refuses a directory twice, and only its topmost appearance has an effect.
    const lower = new Set(record.layers.toReversed().map((layer) => this.#layers.directory(layer)));
    if (lower.size === 0) lower.add(this.#empty);
    if (record.view === true) {
      mountOverlay({ lower: [...lower], target, readonly: true });
      return;
    }
    const place = join(this.#directory, id);
    const work = join(place, 'work');
    rmSync(join(work, 'work/incompat'), { recursive: true, force: true });
    mountOverlay({ lower: [...lower], upper: join(place, 'fs'), work, target, options: { volatile: '' } });
  }

  unmount(target: string): void {
    umount(target);
  }

  async usage(id: string, signal?: AbortSignal): Promise<FilesystemUsage> {
    if (!this.#records.has(id)) throw new Fault('not-found', `The snapshot ${id} is not there`);
    const upper = join(this.#directory, id, 'fs');
    const { bytes, inodes } = await treeUsage(upper, signal);
    return { mountpoint: upper, usedBytes: bytes, inodesUsed: inodes };
  }

  remove(id: string): void {
    if (!this.#records.has(id)) return;
    this.#trash.take(join(this.#directory, id));
    this.#table.delete(id);
    this.#records.delete(id);
    this.#removed();
  }

  list(): string[] {
    return [...this.#records.keys()];
  }

  /** Chain ids that snapshots stand on. */
  layersInUse(): string[] {
    return [...this.#records.values()].flatMap((record) => record.layers);
  }

  #sweep(): void {
    for (const name of readdirSync(this.#directory)) {
      if (this.#records.has(name)) continue;
      try {
        this.#trash.take(join(this.#directory, name));
      } catch (error) {
        // Still mounted in this namespace: whoever mounted it removes it, and the next start the directory.
        if (!isErrno(error, 'EBUSY')) throw error;
      }
    }
  }
}
