import { closeSync, constants, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import { sleep } from '../ground/wait.ts';
import { isErrno } from '../native/errno.ts';
import { processAlive } from '../native/pidfd.ts';
import { REOPEN_LOG, takeBack, tellConmon } from './conmon-control.ts';
import type { ProcessMark } from './monitor.ts';

const REOPEN_TIMEOUT_MS = 5_000;
const REOPEN_POLL_MS = 2;
/** Between the moment in which the monitor reads the word and that in which its file is there. */
const REOPEN_GRACE_MS = 500;

/**
 * Makes a conmon write to a new file at `logPath`, after somebody has renamed the old one. Resolves when it does. When
 * the file there is the one that it writes to already (a rotation that was told twice), nothing is to be done.
 *
 * conmon (2.1.6) makes `<logPath>.tmp` and renames it to `logPath`: a file that is there would be lost, and when it can
 * make none it ends, and with it the container's output. Both are seen to first. Lines go to the old file until the new
 * one is there.
 *
 * Throws `precondition` when the monitor is gone or no file can be made there, `deadline` when the monitor does not
 * listen, the signal's reason: there is no new file then, now or later (CRI ReopenContainerLog).
 */
export async function reopenConmonLog(
  monitor: ProcessMark,
  bundle: string,
  logPath: string,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  // A word that an earlier call did not live to see read would throw away the file that this one asks for.
  takeBack(bundle, REOPEN_LOG);
  if (writesTo(monitor.pid, logPath)) return;
  requireRoom(logPath);
  keepStranger(logPath);
  if (!tellConmon(bundle, REOPEN_LOG)) throw gone();
  try {
    await reopened(monitor, logPath, REOPEN_TIMEOUT_MS, signal);
  } catch (error) {
    if (takeBack(bundle, REOPEN_LOG)) throw error;
    await reopened(monitor, logPath, REOPEN_GRACE_MS);
  }
}

async function reopened(
  monitor: ProcessMark,
  logPath: string,
  limitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!writesTo(monitor.pid, logPath)) {
    if (!processAlive(monitor.pid, monitor.startTime)) throw gone();
    if (performance.now() > deadline)
      throw new Fault('deadline', `The monitor did not open ${logPath} within ${REOPEN_TIMEOUT_MS} ms`, {
        hint: `process ${monitor.pid} may hang in the kernel; it goes on with the file that it has`,
      });
    await sleep(REOPEN_POLL_MS, signal);
  }
}

function gone(): Fault {
  return new Fault('precondition', 'The monitor of this container is gone, so its log cannot be reopened');
}

/** Whether one of the process's descriptors is that very file. */
function writesTo(pid: number, path: string): boolean {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (file === undefined) return false;
  const directory = `/proc/${pid}/fd`;
  return descriptorsOf(directory).some((fd) => {
    try {
      const open = statSync(`${directory}/${fd}`, { bigint: true });
      return open.ino === file.ino && open.dev === file.dev;
    } catch (error) {
      // Closed since it was listed, or the process has ended.
      if (isErrno(error, 'ENOENT', 'ESRCH')) return false;
      throw error;
    }
  });
}

function descriptorsOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

/** Tries what the monitor is about to do. Leaves nothing behind. */
function requireRoom(logPath: string): void {
  const draft = `${logPath}.tmp`;
  try {
    closeSync(openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK, 0o600));
    rmSync(draft);
  } catch (error) {
    throw new Fault('precondition', `No log file can be made at ${logPath}`, {
      cause: error,
      hint: 'its directory has to be there and to have room',
    });
  }
  if (statSync(logPath, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new Fault('precondition', `A directory stands where the log ${logPath} is to be`);
}

/** A file at the log's place that the monitor does not write to gets a rotated log's name: no line is thrown away. */
function keepStranger(logPath: string): void {
  const { size } = statSync(logPath, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size === 0) return;
  const time = new Date()
    .toISOString()
    .replace(/[-:]/g, '')
    .replace('T', '-')
    .replace(/[.]\d+Z$/, '');
  let aside = `${logPath}.${time}`;
  for (let n = 1; statSync(aside, { throwIfNoEntry: false }) !== undefined; n++)
    aside = `${logPath}.${time}-${n}`;
  renameSync(logPath, aside);
}
