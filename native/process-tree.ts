import { readFileSync } from 'node:fs';
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

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}
