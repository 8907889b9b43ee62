import { killProcess, processSession, processStartTime } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';
import { cgroupProcesses } from '../cgroup/kill.ts';
import type { ProcessMark } from '../monitor.ts';
import { descendants } from '../../native/process-tree.ts';

/** How often what was born meanwhile is looked for. */
const MAX_ROUNDS = 10;
/** How often, and after which time in ms, it is looked again for what can fork faster than it is found. */
const MAX_LOOKS = 50;
const LOOK_MS = 20;

/**
 * Kills a command that the OCI runtime runs inside a container, with all that came from it: its descendants, and every
 * process of the container that is in a session of one of them. So a grandchild whose parent has ended is found, too,
 * though the container's first process is its parent by then. Who has left by setsid(2) as well is in the command's own
 * cgroup (`command-cgroup.ts`), where there is one.
 */
export function killCommand(pid: number, cgroupPath: string): void {
  killAll(() => [pid, ...treeOf(pid, cgroupPath)]);
}

/**
 * Kills all that came from the command of a supervisor, wherever it went: the supervisor is the parent of every
 * orphan among them. It ends by itself when it has none left, and none of them stays a zombie.
 */
export function killSupervised(supervisor: ProcessMark, cgroupPath: string, look = 0): void {
  const { pid, startTime } = supervisor;
  if (processStartTime(pid) !== startTime) return;
  killAll(() => treeOf(pid, cgroupPath));
  // A supervisor without a child may not have started it yet; one that has none left is gone by the next look.
  if (look >= MAX_LOOKS) return;
  setTimeout(() => killSupervised(supervisor, cgroupPath, look + 1), LOOK_MS).unref();
}

function killAll(find: () => number[]): void {
  const known = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const victims = find().filter((victim) => !known.has(victim));
    if (victims.length === 0) return;
    for (const victim of victims) {
      known.add(victim);
      const startTime = processStartTime(victim);
      if (startTime !== undefined) killProcess(victim, startTime, SIG.SIGKILL);
    }
  }
}

/** Parents before children, so that what a killed one leaves cannot be replaced by its parent. Without `pid` itself. */
function treeOf(pid: number, cgroupPath: string): number[] {
  const tree = new Set(descendants(pid).map((mark) => mark.pid));
  const sessions = new Set([pid, ...tree].map(processSession));
  // The runtime's own process is in the daemon's.
  for (const none of [processSession(process.pid), undefined]) sessions.delete(none);
  const members = cgroupProcesses(cgroupPath).filter((member) => sessions.has(processSession(member)));
  return [...new Set([...tree, ...members])].filter((member) => member !== pid);
}
