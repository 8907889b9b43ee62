import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../ground/fault.ts';
import { nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

/**
 * Runs `work` while the calling thread is in a cgroup, so that a child spawned by it is born there. `directories`
 * are the cgroup's, one a tree (`PodCgroup.join`).
 *
 * Moving a process that runs already waits for every CPU of the machine (6-11 ms measured); a thread that moves
 * itself does not (0.5 ms there, 0.25 ms back, for nine trees): the kernel takes its threadgroup lock only to move
 * others. Only v1 lets a single thread into a cgroup of its own, so on v2 nothing is moved and the answer says so:
 * then the child has to be joined afterwards (`joinPodCgroup`).
 *
 * `work` is synchronous, and other threads are not touched. When the way back fails the process aborts: everything
 * that it starts from then on would count as the pod's.
 */
export function inCgroup<T>(
  directories: readonly string[],
  work: () => T,
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): { result: T; member: boolean } {
  if (hierarchy.version === 2 || directories.length === 0) return { result: work(), member: false };
  const home = ownDirectories(hierarchy);
  try {
    enter(directories);
    return { result: work(), member: true };
  } finally {
    returnTo(home);
  }
}

function enter(directories: readonly string[]): void {
  // 0 stands for the thread that writes.
  for (const directory of directories) writeFileSync(join(directory, 'tasks'), '0');
}

function returnTo(home: readonly string[]): void {
  try {
    enter(home);
  } catch (error) {
    process.stderr.write(`cannot leave the pod's cgroup: ${messageOf(error)}\n`);
    process.abort();
  }
}

/** Where the calling thread is, one directory a tree (/proc/thread-self/cgroup: `id:controllers:path`). */
function ownDirectories(hierarchy: CgroupHierarchy & { version: 1 }): string[] {
  const directories = new Map<string, string>();
  for (const line of readFileSync('/proc/thread-self/cgroup', 'utf8').trim().split('\n')) {
    const [, controllers = '', ...path] = line.split(':');
    for (const controller of controllers.split(',')) {
      const tree = hierarchy.controllers.get(controller);
      if (tree !== undefined) directories.set(tree, join(tree, path.join(':')));
    }
  }
  return [...directories.values()];
}
