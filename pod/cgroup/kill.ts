import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { isErrno } from '../../native/errno.ts';
import { OwnedFd } from '../../native/fd.ts';
import { pidfdOpen, pidfdSignal } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';
import {
  allTrees,
  cgroupDirectories,
  controllerDirectory,
  nodeHierarchy,
  type CgroupHierarchy,
} from './hierarchy.ts';
import { setFrozen } from './freeze.ts';
import { removeDirectory } from './pod-cgroup.ts';

/** Rounds of killing, each followed by a longer wait: about two seconds in all. */
const ROUND_MS = [0, 2, 5, 10, 20, 50, 100, 200, 400, 500, 700];
/** From this round on the processes are frozen while they are killed, so that a fork bomb cannot outrun it. */
const FREEZE_FROM = 2;

/** Processes of a cgroup and of those below it; empty when there is no such cgroup. */
export function cgroupProcesses(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): number[] {
  const pids = new Set<number>();
  // Every process is in every tree that it was put into, so the first tree that has the cgroup knows them all; a
  // half-made container may be in some only.
  for (const directory of cgroupDirectories(hierarchy, path)) {
    for (const below of withDescendants(directory)) for (const pid of processesIn(below)) pids.add(pid);
  }
  return [...pids];
}

/**
 * Ends every process of a cgroup and of those below it with SIGKILL, and resolves when none is left; at once when
 * there is no such cgroup. v2 has one file for that (cgroup.kill, Linux 5.14). On v1 each process is killed through
 * a pidfd, and again until none is left; a process that was there when its pidfd was opened cannot be mistaken for
 * another one. Throws `deadline` when some are left after about two seconds (uninterruptible sleep).
 */
export async function killCgroup(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): Promise<void> {
  for (const [round, wait] of ROUND_MS.entries()) {
    if (cgroupProcesses(path, hierarchy).length === 0) return;
    if (hierarchy.version === 2) killV2(path, hierarchy);
    else killV1(path, hierarchy, round >= FREEZE_FROM);
    await sleep(wait);
  }
  const left = cgroupProcesses(path, hierarchy);
  if (left.length > 0)
    throw new Fault(
      'deadline',
      `Processes of the cgroup ${path} do not end after SIGKILL: ${left.join(', ')}`,
    );
}

/**
 * Removes a cgroup with all below it from every tree, deepest first; no error when it is gone. Throws `precondition`
 * when it holds processes.
 */
export async function removeCgroup(
  path: string,
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): Promise<void> {
  for (const tree of allTrees(hierarchy)) {
    for (const below of withDescendants(join(tree, path)).toReversed()) {
      if (!(await removeDirectory(below)))
        throw new Fault('precondition', `The cgroup ${below} still holds processes`);
    }
  }
}

function killV2(path: string, hierarchy: CgroupHierarchy): void {
  try {
    writeFileSync(join(hierarchy.trees[0]!, path, 'cgroup.kill'), '1');
  } catch (error) {
    // ENOENT: it is gone, or the kernel is older than 5.14 and has no such file.
    if (!isErrno(error, 'ENOENT', 'EACCES')) throw error;
    killEach(path, hierarchy);
  }
}

function killV1(path: string, hierarchy: CgroupHierarchy, freeze: boolean): void {
  const freezer = freeze ? controllerDirectory(hierarchy, 'freezer', path) : undefined;
  if (freezer === undefined || !setFrozen(freezer, 'FROZEN')) return killEach(path, hierarchy);
  try {
    killEach(path, hierarchy);
  } finally {
    setFrozen(freezer, 'THAWED');
  }
}

function killEach(path: string, hierarchy: CgroupHierarchy): void {
  const opened: { pid: number; pidfd: OwnedFd }[] = [];
  try {
    for (const pid of cgroupProcesses(path, hierarchy)) {
      const pidfd = openProcess(pid);
      if (pidfd !== undefined) opened.push({ pid, pidfd });
    }
    const still = new Set(cgroupProcesses(path, hierarchy));
    for (const { pid, pidfd } of opened) if (still.has(pid)) pidfdSignal(pidfd.fd, SIG.SIGKILL);
  } finally {
    for (const { pidfd } of opened) pidfd.close();
  }
}

function openProcess(pid: number): OwnedFd | undefined {
  try {
    return new OwnedFd(pidfdOpen(pid));
  } catch (error) {
    // EINVAL: a thread of a process whose leader is in another cgroup.
    if (isErrno(error, 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
}

function processesIn(directory: string): number[] {
  try {
    // 0 stands for a process of another PID namespace.
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch (error) {
    // EOPNOTSUPP: a threaded cgroup lists threads only.
    if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP')) return [];
    throw error;
  }
}

/** The directory and all below it, parents before children; empty when it does not exist. */
function withDescendants(directory: string): string[] {
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
  return [
    directory,
    ...entries
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => withDescendants(join(directory, entry.name))),
  ];
}
