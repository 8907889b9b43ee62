import { readFileSync } from 'node:fs';
import { closeFd } from './fd.ts';
import { E, ErrnoError, isErrno } from './errno.ts';
import { bind, check, lastErrno } from './libc.ts';

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_SEND_SIGNAL = 424;

const open = bind<[number, number, number]>('long syscall(long number, int pid, unsigned int flags)');
const send = bind<[number, number, number, null, number]>(
  'long syscall(long number, int pidfd, int sig, void *info, unsigned int flags)',
);

/** A file descriptor that refers to this very process (pidfd_open(2)), close-on-exec. Throws ESRCH when there is none. */
export function pidfdOpen(pid: number): number {
  return check(`pidfd_open ${pid}`, open(SYS_PIDFD_OPEN, pid, 0));
}

/** Sends a signal; false when the process is already gone. A zombie still takes signals, to no effect. */
export function pidfdSignal(pidfd: number, signal: number): boolean {
  if (send(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, null, 0) === 0) return true;
  const errno = lastErrno();
  if (errno === E.ESRCH) return false;
  throw new ErrnoError(`pidfd_send_signal ${signal}`, errno);
}

interface ProcessStat {
  state: string;
  session: number;
  startTime: bigint;
}

/** State, session and start time from /proc/pid/stat (proc(5)), undefined when the process is gone. */
function processStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  // The name of the program stands in brackets and may itself hold spaces and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, session: Number(fields[3]), startTime: BigInt(fields[19]!) };
}

/**
 * When a process started, in clock ticks since boot: /proc/pid/stat field 22. With the pid it names one process for
 * the lifetime of the machine. undefined when there is no such process; a zombie still has one.
 */
export function processStartTime(pid: number): bigint | undefined {
  return processStat(pid)?.startTime;
}

/** The session that a process belongs to, by its leader's pid (setsid(2)); undefined when there is no such process. */
export function processSession(pid: number): number | undefined {
  return processStat(pid)?.session;
}

/** Whether the process with this pid and start time still runs. A zombie counts as dead. */
export function processAlive(pid: number, startTime: bigint): boolean {
  const stat = processStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/**
 * Sends a signal to the process with this pid and start time, and never to a later one with the same pid.
 * False when it is gone.
 */
export function killProcess(pid: number, startTime: bigint, signal: number): boolean {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
  try {
    return processStartTime(pid) === startTime && pidfdSignal(pidfd, signal);
  } finally {
    closeFd(pidfd);
  }
}
