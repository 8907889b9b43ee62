import { readFileSync } from 'node:fs';
import { isErrno } from '../native/errno.ts';
import { processStartTime } from '../native/pidfd.ts';
import type { ProcessMark } from './monitor.ts';

/**
 * All living descendants of a process, children before grandchildren (proc(5), /proc/pid/task/tid/children). A process
 * that was reparented is no descendant any more.
 */
export function descendants(pid: number): ProcessMark[] {
  const found: ProcessMark[] = [];
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
