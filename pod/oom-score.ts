import { readFileSync, writeFileSync } from 'node:fs';
import { isErrno } from '../native/errno.ts';
import { cgroupProcesses } from './cgroup/kill.ts';

/**
 * Gives the processes of a cgroup that have the score `from` the score `to` (proc(5), oom_score_adj). One that has
 * chosen another score for itself keeps it. Children take the score of their parents, so a few rounds reach those
 * that were born meanwhile. Throws EACCES for a score below the lowest that this daemon may give.
 */
export function changeOomScore(cgroupPath: string, from: number, to: number): void {
  for (let round = 0; round < 3; round++) {
    const changed = cgroupProcesses(cgroupPath).filter((pid) => changeOne(pid, from, to));
    if (changed.length === 0) return;
  }
}

function changeOne(pid: number, from: number, to: number): boolean {
  const file = `/proc/${pid}/oom_score_adj`;
  try {
    if (Number(readFileSync(file, 'utf8')) !== from) return false;
    writeFileSync(file, String(to));
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}
