import { readdirSync, readFileSync } from 'node:fs';
import { isErrno } from './errno.ts';
import { processStartTime } from './pidfd.ts';

/**
 * All living descendants of a process with their start times in clock ticks since boot, children before grandchildren
 * (proc(5), /proc/pid/task/tid/children). A process that was reparented is no descendant any more.
 */
export function descendants(pid: number): { pid: number; startTime: bigint }[] {
  const found: { pid: number; startTime: bigint }[] = [];
  const queue = [pid];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const child of childrenOf(parent)) {
      const startTime = processStartTime(child);
      if (startTime === undefined) continue;
      found.push({ pid: child, startTime });
      queue.push(child);
    }
  }
  return found;
}

/** A child is in the list of the thread that made it: programs in Go start theirs from any. */
function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    namesIn(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ')).map(Number),
  );
}

function threadsOf(pid: number): string[] {
  return namesIn(() => readdirSync(`/proc/${pid}/task`));
}

/** What is gone meanwhile has none. */
function namesIn(read: () => string[]): string[] {
  try {
    return read().filter(Boolean);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}
