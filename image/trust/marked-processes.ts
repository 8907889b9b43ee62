import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { killProcess, processStartTime } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';

/** A process that forks while it is looked for is found in a later round. */
const MAX_ROUNDS = 10;

/**
 * Ends every process that carries `mark` (`NAME=value`) in the environment that it was started with
 * (/proc/pid/environ, proc(5)): a program with all that it started, wherever those have gone to. Resolves when none
 * is found any more.
 */
export async function killMarked(mark: string): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (!(await killOnce(Buffer.from(`\0${mark}\0`)))) return;
  }
}

async function killOnce(mark: Buffer): Promise<boolean> {
  let found = false;
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // Taken first: a pid that is used again meanwhile belongs to another process.
    const startTime = processStartTime(pid);
    const environment = await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0)); // it has ended
    const marked = Buffer.concat([Buffer.alloc(1), environment, Buffer.alloc(1)]).includes(mark);
    if (startTime !== undefined && marked) found = killProcess(pid, startTime, SIG.SIGKILL) || found;
  }
  await nextTurn();
  return found;
}
