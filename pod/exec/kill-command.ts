import { killProcess, processSession, processStartTime } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';
import { cgroupProcesses } from '../cgroup/kill.ts';
import { descendants } from '../process-tree.ts';

/** How often what was born meanwhile is looked for. */
const MAX_ROUNDS = 10;

/**
 * Kills a command that was run inside a container, with all that came from it: its descendants, and every process of
 * the container that is in a session of one of them. So a grandchild whose parent has ended is found, too, though the
 * container's first process is its parent by then; only who has left by setsid(2) as well gets away.
 */
export function killCommand(pid: number, cgroupPath: string): void {
  const known = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const victims = processesOf(pid, cgroupPath).filter((victim) => !known.has(victim));
    if (victims.length === 0) return;
    for (const victim of victims) {
      known.add(victim);
      const startTime = processStartTime(victim);
      if (startTime !== undefined) killProcess(victim, startTime, SIG.SIGKILL);
    }
  }
}

/** Parents before children, so that what a killed one leaves cannot be replaced by its parent. */
function processesOf(pid: number, cgroupPath: string): number[] {
  const tree = new Set([pid, ...descendants(pid).map((mark) => mark.pid)]);
  const sessions = new Set([...tree].map(processSession));
  // The runtime's own process is in the daemon's.
  for (const none of [processSession(process.pid), undefined]) sessions.delete(none);
  const members = cgroupProcesses(cgroupPath).filter((member) => sessions.has(processSession(member)));
  return [...new Set([...tree, ...members])];
}
