import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { isErrno } from '../../native/errno.ts';
import { allTrees, cgroupDirectories, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';
import { parentPath } from './paths.ts';

/**
 * The cgroup of a sandbox: the pod's own, and on v2 a directory for pause below it. The pod's own belongs to the
 * kubelet, or to Berth when nobody had made it. Durable data: all that undoing needs.
 */
export interface PodCgroup {
  /** The pod's cgroup, below the trees' roots: `/kubepods/burstable/pod1`. */
  parent: string;
  /** Pause's cgroup: on v1 the pod's own. */
  path: string;
  /** Directories that pause joins, one a tree. */
  join: string[];
  /** Directories that are ours to remove, shallow ones first: those of pause, and those above that nobody had made. */
  made: string[];
}

/** Waits between tries to remove a directory whose processes are on their way out: about half a second in all. */
const RETRY_MS = [1, 2, 5, 10, 20, 40, 80, 160, 200];

/**
 * What `makePodCgroup` is to make, so that a record can name it first. Without a sandbox's id there is no directory
 * for pause: the plan ends at the parent. `owned` are directories that other pods' cgroups count as `made`: the last
 * of the pods that share them takes them away.
 */
export function planPodCgroup(
  parent: string,
  sandboxId?: string,
  owned: ReadonlySet<string> = new Set(),
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): PodCgroup {
  // Either driver's spelling is understood: what the driver in force does not take was refused before.
  const above = parentPath('cgroupfs', parent);
  // On v2 a cgroup with processes of its own cannot hand controllers to the containers' cgroups below it; on v1 it can,
  // and a directory a tree is spared.
  const own = sandboxId !== undefined && hierarchy.version === 2;
  const path = own ? join(above, `berth-${sandboxId}`) : above;
  const made = allTrees(hierarchy).flatMap((tree) =>
    ancestry(path)
      .map((step) => ({ directory: join(tree, step), own: step !== above && step === path }))
      .filter(({ directory, own }) => own || owned.has(directory) || !existsSync(directory))
      .map(({ directory }) => directory),
  );
  return { parent: above, path, join: cgroupDirectories(hierarchy, path), made };
}

/** Makes the directories; those that are there already are fine. About 0.04 ms each. */
export function makePodCgroup(cgroup: PodCgroup, hierarchy: CgroupHierarchy = nodeHierarchy()): void {
  for (const directory of cgroup.made) makeDirectory(directory, hierarchy);
}

/** Plans and makes a pod's cgroup in one step. */
export function createPodCgroup(parent: string, sandboxId?: string, owned?: ReadonlySet<string>): PodCgroup {
  const cgroup = planPodCgroup(parent, sandboxId, owned);
  makePodCgroup(cgroup);
  return cgroup;
}

/**
 * Moves a process into the sandbox's cgroup. The first write waits for every CPU of the machine to pass through its
 * scheduler (6-11 ms measured; the kernel's threadgroup lock), so all of them are done on the thread pool.
 */
export async function joinPodCgroup(cgroup: Pick<PodCgroup, 'join'>, pid: number): Promise<void> {
  for (const directory of cgroup.join) await writeFile(join(directory, 'cgroup.procs'), String(pid));
}

/**
 * Removes what `makePodCgroup` made, deepest first; no error when it is gone. Directories in `keep` stay (other pods
 * are on their way into them), and so do those in which somebody else has cgroups. Throws `precondition` when pause's
 * still holds processes after half a second.
 */
export async function removePodCgroup(
  cgroup: PodCgroup,
  keep: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const directory of cgroup.made.toReversed()) {
    if (keep.has(directory) || removeUnused(directory)) continue;
    const pauses = cgroup.join.includes(directory) && holdsProcesses(directory);
    if (pauses && !(await removeDirectory(directory)))
      throw new Fault('precondition', `The cgroup ${directory} still holds processes`, {
        hint: 'it is tried again later',
      });
  }
}

function holdsProcesses(directory: string): boolean {
  try {
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8') !== '';
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}

/** rmdir, tried again while dying processes are still accounted there. False when it stays busy. */
export async function removeDirectory(directory: string): Promise<boolean> {
  for (const wait of [...RETRY_MS, undefined]) {
    if (removeUnused(directory)) return true;
    if (wait !== undefined) await sleep(wait);
  }
  return false;
}

/** False when the directory holds processes or other cgroups. */
function removeUnused(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}

function makeDirectory(directory: string, hierarchy: CgroupHierarchy): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    throw error;
  }
  if (hierarchy.version === 2) offerControllers(dirname(directory));
  else if (dirname(directory) !== directory) inheritCpuset(directory, hierarchy);
}

/** A new v1 cpuset has no CPUs and no memory nodes, and takes no process before it has both (cpuset(7)). */
function inheritCpuset(directory: string, hierarchy: CgroupHierarchy & { version: 1 }): void {
  const tree = hierarchy.controllers.get('cpuset');
  if (tree === undefined || !directory.startsWith(`${tree}/`)) return;
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readFileSync(join(directory, file), 'utf8').trim() !== '') continue;
    writeFileSync(join(directory, file), readFileSync(join(dirname(directory), file), 'utf8'));
  }
}

/** On v2 a cgroup has only the controllers that its parent hands down (cgroup-v2.rst, "Top-down Constraint"). */
function offerControllers(parent: string): void {
  const there = readFileSync(join(parent, 'cgroup.controllers'), 'utf8').trim();
  for (const controller of there === '' ? [] : there.split(' ')) {
    try {
      writeFileSync(join(parent, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      // EBUSY: processes live in the parent itself; EINVAL, ENOENT: the controller cannot be handed down. The OCI
      // runtime reports a controller that a limit needs and that is missing.
      if (!isErrno(error, 'EBUSY', 'EINVAL', 'ENOENT', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    }
  }
}

/** `/a/b/c` -> `/a`, `/a/b`, `/a/b/c`. */
function ancestry(path: string): string[] {
  const parts = path.split('/').slice(1);
  return parts.map((_part, last) => `/${parts.slice(0, last + 1).join('/')}`);
}
