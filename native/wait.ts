import { E, ErrnoError } from './errno.ts';
import { bind, lastErrno } from './libc.ts';

/** How a child ended. Both undefined: it was not our child, it is only known to be gone. */
export interface ExitStatus {
  code: number | undefined;
  signal: number | undefined;
}

const waitpid = bind<[number, number[], number]>('int waitpid(int pid, _Out_ int *status, int options)');
const waitid = bind<[number, number, Buffer, number]>(
  'int waitid(int type, unsigned int id, void *info, int options)',
);

const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x1000000;
const P_ALL = 0;
/** siginfo_t is 128 bytes; si_pid of a SIGCHLD stands at 16. */
const SIGINFO_SIZE = 128;
const SI_PID = 16;

/** Reaps the child if it has ended: its status, `running`, or `gone` when there is no such child (any more). */
export function reap(pid: number): ExitStatus | 'running' | 'gone' {
  const status = [0];
  const result = waitpid(pid, status, WNOHANG);
  if (result === pid) return decodeStatus(status[0]!);
  if (result === 0) return 'running';
  const errno = lastErrno();
  if (errno === E.ECHILD) return 'gone';
  throw new ErrnoError(`waitpid ${pid}`, errno);
}

/** The pid of some child that has ended and is not reaped yet; it stays so. */
export function peekEnded(): number | undefined {
  const info = Buffer.alloc(SIGINFO_SIZE);
  if (waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === 0) return info.readInt32LE(SI_PID) || undefined;
  const errno = lastErrno();
  if (errno === E.ECHILD) return undefined;
  throw new ErrnoError('waitid', errno);
}

/** wait(2): WIFEXITED and its neighbours. */
function decodeStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: undefined } : { code: undefined, signal };
}
