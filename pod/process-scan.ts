import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isErrno } from '../native/errno.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { killProcess, processStartTime } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import type { ProcessMark } from './monitor.ts';
import { descendants } from '../native/process-tree.ts';

/**
 * Ends every process of the given programs whose command line carries `id`, with its descendants: monitors, OCI
 * runtimes and pauses of an object whose pids were never written down. `programs` are names as in argv[0], without
 * directory: a person's `grep <id>` is none of ours. Only recovery needs this: it reads all of /proc.
 */
export async function killNamed(
  id: string,
  programs: ReadonlySet<string>,
  exits: ExitWatcher,
): Promise<void> {
  for (const mark of processesNamed(id, programs)) {
    for (const victim of [...descendants(mark.pid), mark]) {
      if (killProcess(victim.pid, victim.startTime, SIG.SIGKILL)) await exits.watch(victim.pid);
    }
  }
}

function processesNamed(id: string, programs: ReadonlySet<string>): ProcessMark[] {
  const found: ProcessMark[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const line = commandLine(pid);
    if (!line.includes(id) || !programs.has(basename(line.split('\0', 1)[0]!))) continue;
    const startTime = processStartTime(pid);
    if (startTime !== undefined) found.push({ pid, startTime });
  }
  return found;
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES')) return '';
    throw error;
  }
}
