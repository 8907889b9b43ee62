import { writeSync } from 'node:fs';
import { sleep } from '../ground/wait.ts';
import { startChild } from './child.ts';
import { isErrno } from './errno.ts';
import type { ExitStatus, ExitWatcher } from './exits.ts';
import { closeFd, memfd, pipe2 } from './fd.ts';
import { OutputPipe } from './output.ts';
import { SIG } from './signals.ts';
import { devNullFd, type SpawnOptions } from './spawn.ts';

export interface RunResult {
  /** 128 + n when signal n ended it. */
  code: number;
  signal?: number;
  stdout: Buffer;
  stderr: Buffer;
  /** Whether either stream had more than `maxOutput` bytes. */
  truncated: boolean;
  /** Set when it did not end by itself: its time was over, or the caller left. */
  killed?: 'timeout' | 'abort';
}

export interface CollectOptions {
  /** What the child reads; nothing by default. */
  stdin?: Uint8Array;
  /** Bytes a stream that are kept, 1 MiB by default. The rest is read and dropped. */
  maxOutput?: number;
  /** After this time it is killed. None by default. */
  timeoutMs?: number;
  /** The same when this aborts. */
  signal?: AbortSignal;
  /** After the exit: how long to read on while grandchildren hold the pipes, 100 by default. */
  drainMs?: number;
}

export interface RunOptions extends CollectOptions, Omit<SpawnOptions, 'fds'> {
  /** The child's file descriptors from 3 on. They stay the caller's. */
  extraFds?: number[];
  /** Called with the child's pid just before its process group is killed: to kill more than that. */
  beforeKill?: (pid: number) => void;
}

/** A child on its way. */
export interface Started {
  exited: Promise<ExitStatus>;
  /** Kills it with all that belongs to it. Not called after `exited` has settled. */
  kill(): void;
}

/** Starts a child with these standard streams, which stay the caller's. */
export type Start = (stdin: number, stdout: number, stderr: number) => Promise<Started>;

const DEFAULT_MAX_OUTPUT = 1024 * 1024;
const DEFAULT_DRAIN_MS = 100;

/**
 * Runs a child to its end. The result comes with the child's own exit: a grandchild that still holds the output
 * delays it by `drainMs` at most, and its later output is read and dropped so that it lives on.
 * The child leads its own process group, which `timeoutMs` and `signal` kill; then the result says so in `killed`.
 * Rejects with the signal's reason when that has aborted before the start, with ErrnoError when the child cannot be
 * started.
 */
export function run(exits: ExitWatcher, options: RunOptions): Promise<RunResult> {
  return collect(options, async (...streams) => {
    const fds = [...streams, ...(options.extraFds ?? [])];
    const { pid, exited } = await startChild(exits, { ...options, fds, setpgroup: true });
    const kill = (): void => {
      options.beforeKill?.(pid);
      killGroup(pid);
    };
    return { exited, kill };
  });
}

/** As `run`, for a child that is started in another way. Rejects as `start` does. */
export async function collect(options: CollectOptions, start: Start): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const { child, stdout, stderr } = await startWithPipes(options, start);
  let killed: RunResult['killed'];
  let over = false;
  const kill = (why: 'timeout' | 'abort'): void => {
    if (over) return;
    killed ??= why;
    child.kill();
  };
  const onAbort = (): void => kill('abort');
  const timer =
    options.timeoutMs === undefined ? undefined : setTimeout(() => kill('timeout'), options.timeoutMs);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  // The caller may have left while it was being started.
  if (options.signal?.aborted === true) onAbort();
  let status: ExitStatus;
  try {
    status = await child.exited;
  } finally {
    over = true;
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
  await drain([stdout, stderr], options.drainMs ?? DEFAULT_DRAIN_MS);
  return {
    code: status.code ?? 128 + (status.signal ?? 127),
    signal: status.signal,
    stdout: stdout.take(),
    stderr: stderr.take(),
    truncated: stdout.truncated || stderr.truncated,
    killed,
  };
}

interface Running {
  child: Started;
  stdout: OutputPipe;
  stderr: OutputPipe;
}

async function startWithPipes(options: CollectOptions, start: Start): Promise<Running> {
  const theirs: number[] = [];
  const ours: number[] = [];
  const max = options.maxOutput ?? DEFAULT_MAX_OUTPUT;
  try {
    const stdin = options.stdin === undefined ? devNullFd() : stdinFile(options.stdin, theirs);
    for (let stream = 0; stream < 2; stream++) {
      const [read, write] = pipe2();
      ours.push(read);
      theirs.push(write);
    }
    const [out, err] = theirs.slice(-2) as [number, number];
    const child = await start(stdin, out, err);
    const [stdout, stderr] = ours.splice(0).map((fd) => new OutputPipe(fd, max)) as [OutputPipe, OutputPipe];
    return { child, stdout, stderr };
  } finally {
    for (const fd of [...theirs, ...ours]) closeFd(fd);
  }
}

/** The child's input as a file in memory: nothing needs to be written while it runs. */
function stdinFile(bytes: Uint8Array, owned: number[]): number {
  const fd = memfd('stdin');
  owned.push(fd);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}

/** Reads what is there, and waits `ms` at most for what grandchildren still write. */
async function drain(pipes: OutputPipe[], ms: number): Promise<void> {
  const open = pipes.filter((pipe) => !pipe.drainNow());
  if (open.length === 0 || ms <= 0) return;
  const enough = new AbortController();
  await Promise.race([
    Promise.all(open.map((pipe) => pipe.ended)),
    sleep(ms, enough.signal).catch(() => undefined),
  ]);
  enough.abort();
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, SIG.SIGKILL);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
