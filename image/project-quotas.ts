import { Fault } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { statfs } from '../native/node.ts';
import { giveToProject, limitProject, projectQuotaState, projectUsage } from '../native/quota.ts';
import type { TreeUsage } from './disk-usage.ts';

/** The kernel as this file needs it; tests give another one. */
export interface QuotaKernel {
  state: typeof projectQuotaState;
  usage: typeof projectUsage;
  limit: typeof limitProject;
  give: typeof giveToProject;
}

const KERNEL: QuotaKernel = {
  state: projectQuotaState,
  usage: projectUsage,
  limit: limitProject,
  give: giveToProject,
};

/** Far from the ids that people write into /etc/projid and from those of the kubelet's volumes (from 1048577 on). */
const FIRST_PROJECT = 0x6265_0000;
const LAST_PROJECT = 0x6fff_ffff;

/** What the kernel says where project quotas are off. */
const OFF = ['ESRCH', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];

/** What the file system of the store can do about the size of writable layers, for people. */
export interface QuotaSupport {
  accounting: boolean;
  enforcing: boolean;
  /** Empty when it enforces; else what would make it do so. */
  hint: string;
}

/** statfs(2) names file systems by these. */
const EXT4 = 0xef53;
const XFS = 0x58465342;
const HINTS = new Map([
  [EXT4, 'mount it with the option prjquota'],
  [XFS, 'mount it with the option pquota (the root file system: rootflags=pquota)'],
]);
const EXT4_FEATURES =
  '; ext4 needs the features project and quota for that (tune2fs -O project,quota -Q prjquota, while it is not mounted)';

/** Whether the file system of `path` counts and bounds what projects take, and what it lacks for that. */
export function quotaSupport(path: string, kernel: Pick<QuotaKernel, 'state'> = KERNEL): QuotaSupport {
  const { accounting, enforcing } = kernel.state(path);
  if (enforcing) return { accounting, enforcing, hint: '' };
  const { type } = statfs(path);
  const hint = HINTS.get(type) ?? 'put it on ext4 or xfs, mounted with prjquota or pquota';
  // Where it counts, they are there.
  return { accounting, enforcing, hint: type === EXT4 && !accounting ? hint + EXT4_FEATURES : hint };
}

/**
 * A project of the file system for each writable layer, where there are project quotas: the kernel then counts what the
 * layer takes, and bounds it.
 *
 * An id is free when no record has it and nothing on the file system belongs to it: the second also holds for layers
 * that are still being deleted, and for projects of others.
 */
export class ProjectQuotas {
  readonly support: QuotaSupport;
  readonly #root: string;
  readonly #limit: number;
  readonly #kernel: QuotaKernel;
  #next = FIRST_PROJECT;

  /** `limit`: bytes that a writable layer may take; 0: as much as it likes. */
  constructor(root: string, limit: number, kernel: QuotaKernel = KERNEL) {
    this.#root = root;
    this.#limit = limit;
    this.#kernel = kernel;
    this.support = quotaSupport(root, kernel);
  }

  /**
   * A project for a new layer; undefined where the file system counts none. Throws Fault `precondition` when layers are
   * to be limited and cannot be.
   */
  choose(taken: ReadonlySet<number>): number | undefined {
    const { accounting, enforcing, hint } = this.support;
    if (this.#limit > 0 && !enforcing) {
      throw new Fault('precondition', `The file system of ${this.#root} cannot limit writable layers`, {
        hint: `${hint}; or set image.writable_layer_limit to 0`,
      });
    }
    if (!accounting) return undefined;
    for (let tries = taken.size + 1000; tries > 0; tries--) {
      const project = this.#next;
      this.#next = project === LAST_PROJECT ? FIRST_PROJECT : project + 1;
      if (!taken.has(project) && this.#kernel.usage(this.#root, project).inodes === 0) return project;
    }
    throw new Fault('exhausted', `No project id of the file system of ${this.#root} is free`);
  }

  /** Gives empty directories to `project`, with all that will be made in them, and bounds it. */
  open(project: number, directories: readonly string[]): void {
    this.#kernel.limit(this.#root, project, this.#limit);
    for (const directory of directories) this.give(project, directory);
  }

  /** Gives one more empty directory to a project that is open. */
  give(project: number, directory: string): void {
    try {
      this.#kernel.give(directory, project);
    } catch (error) {
      throw new Fault('internal', `The directory ${directory} cannot be given to a project`, {
        cause: error,
      });
    }
  }

  /** What the project takes; undefined when the file system no longer counts it, as after a mount without quotas. */
  usage(project: number): TreeUsage | undefined {
    try {
      const { bytes, inodes } = this.#kernel.usage(this.#root, project);
      return { bytes, inodes };
    } catch (error) {
      if (isErrno(error, ...OFF)) return undefined;
      throw error;
    }
  }

  /** Takes the bound of a project away, whose layer is about to be deleted. */
  close(project: number): void {
    try {
      this.#kernel.limit(this.#root, project, 0);
    } catch (error) {
      // A bound that stays is replaced when the id is used again; a full disk must not stop a removal.
      if (!isErrno(error, ...OFF, 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS')) throw error;
    }
  }
}
