import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../native/errno.ts';
import { allTrees, nodeHierarchy, type CgroupHierarchy } from '../cgroup/hierarchy.ts';
import { killCgroup } from '../cgroup/kill.ts';
import { removeDirectory } from '../cgroup/pod-cgroup.ts';
import type { CommandCgroups } from '../pods.ts';

/** No name that a container's own cgroups have. */
const PREFIX = 'berth-exec-';

/** Those whose command may still be on its way in: nobody else removes them. */
const live = new Set<string>();
let number = 0;

/**
 * A cgroup below the container's for one command that the OCI runtime takes there, so that all that came from the
 * command can be found whatever it did (setsid, a double fork): nobody in a container leaves a cgroup by himself. The
 * container's limits hold, as it sets none of its own.
 *
 * - v2: one directory, and no controllers are handed down to it.
 * - v1, a runtime that takes one controller (`runc exec --cgroup freezer:…`): a directory in the freezer's tree; for
 *   all else the command is where the container is.
 * - v1, a runtime that does not (`crun exec --cgroup`): a directory in every tree. crun 1.8.1 leaves a process outside
 *   of the container in each tree that has none.
 *
 * Whatever lives on after the command's end, as it may, keeps the cgroup; it goes with a later command or with the
 * container.
 */
export class CommandCgroup implements AsyncDisposable {
  /** For the runtime's `exec --cgroup`. */
  readonly flag: string;
  readonly #path: string;
  readonly #directories: string[];
  readonly #hierarchy: CgroupHierarchy;
  #killing: Promise<void> | undefined;

  private constructor(path: string, flag: string, directories: string[], hierarchy: CgroupHierarchy) {
    this.#path = path;
    this.#hierarchy = hierarchy;
    this.flag = flag;
    this.#directories = directories;
    live.add(path);
  }

  /** Undefined where the runtime or the node has no such thing. */
  static open(
    container: string,
    can: CommandCgroups,
    hierarchy: CgroupHierarchy = nodeHierarchy(),
  ): CommandCgroup | undefined {
    const name = `${PREFIX}${process.pid}-${number++}`;
    const path = join(container, name);
    const trees = treesFor(container, can, hierarchy);
    if (trees === undefined) return undefined;
    const directories = trees.map((tree) => join(tree, path));
    try {
      sweep(join(trees[0]!, container), container, trees);
      for (const directory of directories) mkdirSync(directory);
      if (hierarchy.version === 1) setCpus(container, path, hierarchy);
    } catch {
      // The container has ended, or holds threaded cgroups: the runtime itself has words for what is wrong.
      for (const directory of directories) removeNow(directory);
      return undefined;
    }
    const flag = can === 'each' && hierarchy.version === 1 ? `freezer:${name}` : name;
    return new CommandCgroup(path, flag, directories, hierarchy);
  }

  /** Kills all that came from the command. Does not wait for its end; what cannot be killed is the container's matter. */
  kill(): void {
    this.#killing ??= killCgroup(this.#path, this.#hierarchy).catch(() => {});
  }

  /** The command has ended: the cgroup goes, unless something lives on in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Once more: the runtime may have been about to put the command in.
    if (this.#killing !== undefined) {
      await this.#killing;
      await killCgroup(this.#path, this.#hierarchy).catch(() => {});
    }
    for (const directory of this.#directories)
      if (!removeNow(directory)) void removeDirectory(directory).catch(() => {}); // the container's end takes it
    live.delete(this.#path);
  }
}

/** Where there has to be a directory; undefined when it cannot be had. */
function treesFor(container: string, can: CommandCgroups, hierarchy: CgroupHierarchy): string[] | undefined {
  if (can === 'none') return undefined;
  if (hierarchy.version === 2) return hierarchy.trees;
  if (can === 'each') {
    const freezer = hierarchy.controllers.get('freezer');
    return freezer === undefined || !existsSync(join(freezer, container)) ? undefined : [freezer];
  }
  const memory = hierarchy.controllers.get('memory');
  // Before Linux 5.11 a container's limit could leave out what is below it.
  if (memory !== undefined && !isHierarchical(join(memory, container))) return undefined;
  return allTrees(hierarchy).filter((tree) => existsSync(join(tree, container)));
}

function isHierarchical(memory: string): boolean {
  try {
    return readFileSync(join(memory, 'memory.use_hierarchy'), 'latin1').trim() === '1';
  } catch (error) {
    // The file is gone with the choice (or the container is, which the next step finds).
    if (isErrno(error, 'ENOENT')) return true;
    throw error;
  }
}

/** What commands left that were not over with their first process, and is empty by now. */
function sweep(directory: string, container: string, trees: readonly string[]): void {
  for (const name of commandsIn(directory)) {
    if (live.has(join(container, name))) continue;
    for (const tree of trees) removeNow(join(tree, container, name));
  }
}

function commandsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith(PREFIX));
}

function removeNow(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return true;
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}

const CPUSET_FILES = ['cpuset.cpus', 'cpuset.mems'];

/** A v1 cpuset takes no process before it has CPUs and memory nodes. */
function setCpus(container: string, path: string, hierarchy: CgroupHierarchy & { version: 1 }): void {
  const tree = hierarchy.controllers.get('cpuset');
  if (tree === undefined || !existsSync(join(tree, path))) return;
  for (const file of CPUSET_FILES)
    writeFileSync(join(tree, path, file), readFileSync(join(tree, container, file)));
}

/**
 * Gives the commands of a container these CPUs or memory nodes. On v1 a cpuset cannot become smaller than one below it
 * (cpuset(7)), and one below does not grow by itself: to be called before a change and after it. What the kernel does
 * not allow yet, the change itself will be refused for.
 */
export function setCommandCpus(
  container: string,
  { cpus, mems }: { cpus?: string; mems?: string },
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): void {
  const tree = hierarchy.version === 1 ? hierarchy.controllers.get('cpuset') : undefined;
  if (tree === undefined || (cpus === undefined && mems === undefined)) return;
  const directory = join(tree, container);
  if (!existsSync(directory)) return;
  for (const name of commandsIn(directory))
    for (const [at, list] of [cpus, mems].entries()) {
      if (list === undefined) continue;
      try {
        writeFileSync(join(directory, name, CPUSET_FILES[at]!), list);
      } catch (error) {
        if (!isErrno(error, 'EACCES', 'EBUSY', 'ENOENT', 'ENODEV', 'EINVAL')) throw error;
      }
    }
}
