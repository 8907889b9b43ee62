import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordTable } from '../ground/records.ts';
import { ErrnoError, isErrno } from '../native/errno.ts';
import { hostIdOf, type IdMapping, type IdMappings } from '../native/id-mapping.ts';
import { cloneMount, mapMountIds } from '../native/mount-api.ts';
import { mountOverlay, umount, umountInPool, type OverlayOptions } from '../native/mount.ts';
import { UsageMeter } from './usage-meter.ts';
import { sleep, waitOrAbort } from '../ground/wait.ts';
import type { FilesystemUsage, Snapshotter } from './images.ts';
import type { TreeUsage } from './disk-usage.ts';
import { ProjectQuotas, type QuotaKernel, type QuotaSupport } from './project-quotas.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { Trash } from './trash.ts';

/** A snapshot as the record store keeps it under its id. */
export interface SnapshotRecord {
  layers: string[];
  /** It only shows its layers. */
  view?: boolean;
  /** Its files' project, where the file system counts what projects take. */
  project?: number;
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
 *
 * Where the file system has project quotas, each snapshot is a project: the kernel counts what `fs`, `work` and the
 * volumes take, and bounds it.
 */
export class OverlaySnapshots implements Snapshotter {
  /** Above snapshots and layers. */
  readonly #root: string;
  readonly #directory: string;
  /** Stands below snapshots that have no layer: overlayfs wants one. */
  readonly #empty: string;
  readonly #table: RecordTable<SnapshotRecord>;
  readonly #records = new Map<string, SnapshotRecord>();
  readonly #layers: LayerStore;
  readonly #trash: Trash;
  readonly #removed: () => void;
  readonly #meter = new UsageMeter();
  readonly #quotas: ProjectQuotas;

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
    /** Bytes that each may take; 0 or absent: as much as it likes. */
    limit?: number | undefined;
    quotaKernel?: QuotaKernel | undefined;
  }) {
    this.#root = options.root;
    this.#directory = join(options.root, 'snapshots');
    this.#empty = join(options.root, 'empty');
    this.#table = options.table;
    this.#layers = options.layers;
    this.#trash = options.trash;
    this.#removed = options.removed;
    for (const path of [this.#directory, this.#empty]) mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#quotas = new ProjectQuotas(options.root, options.limit ?? 0, options.quotaKernel);
    for (const { id, value } of this.#table.all()) this.#records.set(id, value);
    if (options.sweep !== false) this.#sweep();
  }

  prepare(id: string, layers: string[], owners?: IdMappings): void {
    this.#prepare(id, { layers }, owners);
  }

  prepareView(id: string, layers: string[]): void {
    this.#prepare(id, { layers, view: true });
  }

  volume(id: string, name: string): string {
    const record = this.#records.get(id);
    if (record === undefined) throw new Fault('not-found', `The snapshot ${id} is not there`);
    if (!ID.test(name)) throw new Fault('invalid', `${JSON.stringify(name)} is no name of a volume`);
    const directory = join(this.#directory, id, 'volumes', name);
    mkdirSync(join(this.#directory, id, 'volumes'), { recursive: true, mode: 0o711 });
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    if (record.project !== undefined) this.#quotas.give(record.project, directory);
    return directory;
  }

  scratch(id: string, name: string): string {
    if (!this.#records.has(id)) throw new Fault('not-found', `The snapshot ${id} is not there`);
    if (!ID.test(name)) throw new Fault('invalid', `${JSON.stringify(name)} is no name of a directory`);
    const directory = join(this.#directory, id, 'scratch', name);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  writable(id: string): string {
    if (!this.#records.has(id)) throw new Fault('not-found', `The snapshot ${id} is not there`);
    return join(this.#directory, id, 'fs');
  }

  lower(id: string): string[] {
    const record = this.#records.get(id);
    if (record === undefined) throw new Fault('not-found', `The snapshot ${id} is not there`);
    // overlayfs refuses a directory twice, and only its topmost appearance has an effect.
    return [...new Set(record.layers.toReversed().map((layer) => this.#layers.directory(layer)))];
  }

  #prepare(id: string, wanted: SnapshotRecord, owners?: IdMappings): void {
    const { layers, view } = wanted;
    if (!ID.test(id)) throw new Fault('invalid', `${JSON.stringify(id)} is no id of a snapshot`);
    if (this.#records.has(id)) throw new Fault('exists', `The snapshot ${id} is already there`);
    for (const layer of layers) this.#layers.directory(layer);
    const project = view === true ? undefined : this.#quotas.choose(this.#projects());
    const record = project === undefined ? wanted : { ...wanted, project };
    this.#table.put(id, record);
    this.#records.set(id, record);
    try {
      if (view === true) mkdirSync(join(this.#directory, id), { mode: 0o700 });
      else this.#makeDirectories(id, record, owners);
    } catch (error) {
      this.remove(id);
      throw error;
    }
  }

  #projects(): Set<number> {
    return new Set([...this.#records.values()].flatMap(({ project }) => project ?? []));
  }

  #makeDirectories(id: string, { layers, project }: SnapshotRecord, owners: IdMappings | undefined): void {
    const place = join(this.#directory, id);
    mkdirSync(place, { mode: 0o700 });
    const upper = join(place, 'fs');
    mkdirSync(upper, { mode: 0o755 });
    const work = join(place, 'work');
    mkdirSync(work, { mode: 0o700 });
    if (project !== undefined) this.#quotas.open(project, [upper, work]);
    // The root directory that the container sees is this one: it takes its attributes from the image.
    const root = layers.toReversed().flatMap((layer) => this.#layers.get(layer)?.root ?? [])[0];
    const { uid, gid, mode } = root ?? { uid: 0, gid: 0, mode: 0o755 };
    chownSync(
      upper,
      owners === undefined ? uid : ownerOf(owners.uids, uid),
      owners === undefined ? gid : ownerOf(owners.gids, gid),
    );
    chmodSync(upper, mode);
  }

  mount(id: string, target: string, userNamespace?: number, label?: string): void {
    const record = this.#records.get(id);
    if (record === undefined) throw new Fault('not-found', `The snapshot ${id} is not there`);
    const lower = new Set(this.lower(id));
    if (lower.size === 0) lower.add(this.#empty);
    // One layer alone would be a bind, which shows the labels that are on the disk.
    if (label !== undefined && record.view === true && lower.size === 1) lower.add(this.#empty);
    const above = this.#above(id, record);
    const labelled = label === undefined ? {} : { options: { ...above.options, context: label } };
    const overlay = { lower: [...lower], target, ...above, ...labelled };
    if (userNamespace === undefined) {
      mountOverlay(overlay);
      return;
    }
    try {
      mountOverlay({ ...overlay, idmap: { parent: this.#root, userNamespace } });
    } catch (error) {
      const reason = this.mapsIds(userNamespace);
      if (reason === undefined) throw error;
      throw new Fault('precondition', reason, { cause: error });
    }
  }

  /** What takes the changes above the layers. */
  #above(id: string, { view }: SnapshotRecord): Omit<OverlayOptions, 'lower' | 'target'> {
    if (view === true) return { readonly: true };
    const place = join(this.#directory, id);
    const work = join(place, 'work');
    rmSync(join(work, 'work/incompat'), { recursive: true, force: true });
    return { upper: join(place, 'fs'), work, options: { volatile: '' } };
  }

  mapsIds(userNamespace: number): string | undefined {
    try {
      using view = cloneMount(this.#root);
      mapMountIds(view.fd, userNamespace);
      return undefined;
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error;
      return `The file system of ${this.#root} cannot show its files with the ids of a user namespace (${error.code})`;
    }
  }

  async unmount(target: string): Promise<void> {
    if (!(await umountInPool(target))) return;
    // On kernels before 6.15 a view of the layers hangs below the overlay of a pod with a user namespace.
    while (umount(target));
  }

  async usage(id: string, signal?: AbortSignal): Promise<FilesystemUsage> {
    const record = this.#records.get(id);
    if (record === undefined) throw new Fault('not-found', `The snapshot ${id} is not there`);
    const upper = join(this.#directory, id, 'fs');
    const { bytes, inodes } = this.#counted(record) ?? (await waitOrAbort(this.#meter.usage(upper), signal));
    return { mountpoint: upper, usedBytes: bytes, inodesUsed: inodes };
  }

  /** What all writable directories hold together, as far as it is known within `ms` milliseconds. */
  async total(ms: number): Promise<{ bytes: number; inodes: number }> {
    const sum = { bytes: 0, inodes: 0 };
    const writable: string[] = [];
    for (const [id, record] of this.#records) {
      const usage = this.#counted(record);
      sum.bytes += usage?.bytes ?? 0;
      sum.inodes += usage?.inodes ?? 0;
      if (usage === undefined && record.view !== true) writable.push(id);
    }
    const over = new AbortController();
    const known = Promise.allSettled(writable.map((id) => this.usage(id, over.signal)));
    // Aborted: all is known in time.
    await Promise.race([known, sleep(ms, over.signal).catch(() => {})]);
    over.abort();
    const { bytes, inodes } = this.#meter.total();
    return { bytes: sum.bytes + bytes, inodes: sum.inodes + inodes };
  }

  /** What the file system has counted; undefined where it does not. */
  #counted({ project }: SnapshotRecord): TreeUsage | undefined {
    return project === undefined ? undefined : this.#quotas.usage(project);
  }

  /** What the file system can do about the size of writable layers. */
  get quotaSupport(): QuotaSupport {
    return this.#quotas.support;
  }

  remove(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    if (record.project !== undefined) this.#quotas.close(record.project);
    this.#meter.forget(join(this.#directory, id, 'fs'));
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

  forgetLost(): string[] {
    const lost = this.list().filter((id) => !existsSync(join(this.#directory, id)));
    for (const id of lost) this.remove(id);
    return lost;
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

/** An id of the namespace as the disk keeps it; what the namespace does not map belongs to its root. */
function ownerOf(mappings: readonly IdMapping[], id: number): number {
  return hostIdOf(mappings, id) ?? hostIdOf(mappings, 0) ?? id;
}
