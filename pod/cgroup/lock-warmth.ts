import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

let warming: Promise<void> | undefined;

/**
 * Call this when a process will be moved between cgroups in some milliseconds, and go on: the OCI runtime's move is
 * then not the first one.
 *
 * The first move after a quiet time waits until every CPU has passed through its scheduler (8-15 ms measured, spent
 * by the runtime in its first write to cgroup.procs); until a grace period after the last one, further moves cost
 * 0.2 ms (the kernel's rcu_sync of its threadgroup lock). So the daemon moves its main thread to where it is: nothing
 * changes, and the wait passes while the container's files are prepared. It happens on the thread pool.
 *
 * Not to be used together with `inCgroup` on the main thread: this would call it back.
 */
export function warmCgroupLock(hierarchy: CgroupHierarchy = nodeHierarchy()): Promise<void> {
  warming ??= writeFile(ownThreads(hierarchy), String(process.pid))
    // Only time is lost: what really goes wrong with cgroups shows at the real move.
    .catch(() => {})
    .finally(() => {
      warming = undefined;
    });
  return warming;
}

/** On v1 the file that moves single threads, so that a thread of ours that is elsewhere for a moment stays there. */
function ownThreads(hierarchy: CgroupHierarchy): string {
  const lines = readFileSync('/proc/self/cgroup', 'latin1').trim().split('\n');
  const pathOf = (controllers: string): string =>
    lines
      .find((line) => line.split(':')[1] === controllers)
      ?.split(':')
      .slice(2)
      .join(':') ?? '/';
  if (hierarchy.version === 2) return join(hierarchy.trees[0]!, pathOf(''), 'cgroup.procs');
  const tree = hierarchy.trees[0]!;
  const line = lines.find((text) =>
    text
      .split(':')[1]!
      .split(',')
      .some((name) => controllerDirectory(hierarchy, name, '') === tree),
  );
  return join(tree, pathOf(line?.split(':')[1] ?? ''), 'tasks');
}
