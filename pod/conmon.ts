import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { startChild } from '../native/child.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { closeFd, pipe2 } from '../native/fd.ts';
import { killProcess, processAlive, processStartTime } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { DEFAULT_PATH, devNullFd } from '../native/spawn.ts';
import { connectPackets } from '../native/unix-socket.ts';
import { tellConmon } from './conmon-control.ts';
import { reopenConmonLog } from './conmon-log.ts';
import { withoutCrashDump } from './crash-dump.ts';
import type { ExitRecord, Monitor, MonitorRequest, MonitorStart, ProcessMark } from './monitor.ts';
import { descendants } from '../native/process-tree.ts';

/** The first descriptor after stdin, stdout and stderr: where conmon reports the container's pid. */
const SYNC_FD = 3;
/** And where it waits for a byte before it creates the container. */
const START_FD = 4;
/** What conmon says at most in its one line. */
const SYNC_MAX_BYTES = 64 * 1024;

export interface ConmonOptions {
  path: string;
  exitsDir: string;
  exits: ExitWatcher;
  systemdCgroup: boolean;
}

/**
 * conmon as the monitor (conmon(8)). It runs as a session of its own and, with `--sync`, as this process's direct
 * child, so that no fork is spent; when the daemon goes it lives on.
 */
export class Conmon implements Monitor {
  readonly #options: ConmonOptions;
  /** Monitors that this process started and that still run. */
  readonly #children = new Map<number, Promise<void>>();
  /** The last reopening of each bundle's log that is under way. */
  readonly #reopening = new Map<string, Promise<void>>();

  constructor(options: ConmonOptions) {
    this.#options = options;
    mkdirSync(options.exitsDir, { recursive: true, mode: 0o700 });
  }

  begin(request: MonitorRequest): MonitorStart {
    using undo = new DisposableStack();
    using theirs = new DisposableStack();
    const [sync, theirSync] = pipe2();
    undo.defer(() => closeFd(sync));
    theirs.defer(() => closeFd(theirSync));
    const [theirGo, go] = pipe2();
    undo.defer(() => closeFd(go));
    theirs.defer(() => closeFd(theirGo));
    const lent = theirs.move();
    const pipes = undo.move();
    const starting = this.#start(request, theirSync, theirGo).finally(() => lent.dispose());
    // `create` tells of it.
    starting.catch(() => pipes.dispose());
    return {
      abandon: async () => {
        const monitor = await starting.catch(() => undefined);
        // First the end, then the pipes: a conmon that finds its pipe closed takes that for the word to go on.
        if (monitor !== undefined) await this.#abandon(monitor);
        pipes.dispose();
      },
      create: async (signal) => {
        const monitor = await starting;
        try {
          pipes.move();
          const report = readLine(sync, signal);
          writeStart(go);
          const verb = request.restore === undefined ? 'create' : 'restore';
          const init = createdInit(await report, `${request.runtime.name} ${verb}`);
          return { monitor, init };
        } catch (error) {
          await this.#abandon(monitor);
          throw error;
        }
      },
    };
  }

  /** Starts conmon; the two ends of pipes are what it is given. */
  async #start(request: MonitorRequest, sync: number, go: number): Promise<ProcessMark> {
    const { pid, exited } = await startChild(this.#options.exits, {
      path: this.#options.path,
      argv: this.#argv(request),
      env: [
        `PATH=${request.restore === undefined ? '' : `${dirname(request.restore.criu)}:`}${DEFAULT_PATH}`,
        `_OCI_SYNCPIPE=${SYNC_FD}`,
        `_OCI_STARTPIPE=${START_FD}`,
      ],
      fds: [devNullFd(), devNullFd(), devNullFd(), sync, go],
      cwd: request.bundle,
      setsid: true,
    });
    const ended = exited.then(() => void this.#children.delete(pid));
    this.#children.set(pid, ended);
    return { pid, startTime: processStartTime(pid) ?? 0n };
  }

  exitOf(id: string): ExitRecord | undefined {
    const file = join(this.#options.exitsDir, id);
    try {
      const atNs = statSync(file, { bigint: true }).mtimeNs;
      const code = Number.parseInt(readFileSync(file, 'utf8'), 10);
      return Number.isNaN(code) ? undefined : { code, atNs };
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async ended(mark: ProcessMark): Promise<void> {
    const child = this.#children.get(mark.pid);
    if (child !== undefined) return child;
    if (processAlive(mark.pid, mark.startTime)) await this.#options.exits.watch(mark.pid);
  }

  forget(id: string): void {
    const { exitsDir } = this.#options;
    try {
      rmSync(join(exitsDir, id));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      // A conmon that was killed while it wrote leaves the file under the name that it has until it is whole.
      for (const name of readdirSync(exitsDir))
        if (name.startsWith(`${id}.`)) rmSync(join(exitsDir, name), { force: true });
    }
  }

  async reopenLog(mark: ProcessMark, bundle: string, logPath: string, signal?: AbortSignal): Promise<void> {
    const before = this.#reopening.get(bundle) ?? Promise.resolve();
    const reopen = before.then(() => reopenConmonLog(mark, bundle, logPath, signal));
    const settled = reopen.catch(() => {
      // Its caller has the error; the next one waits for its end alone.
    });
    this.#reopening.set(bundle, settled);
    try {
      await reopen;
    } finally {
      if (this.#reopening.get(bundle) === settled) this.#reopening.delete(bundle);
    }
  }

  attach(bundle: string): number {
    return connectPackets(join(bundle, 'attach'));
  }

  resize(bundle: string, columns: number, rows: number): void {
    tellConmon(bundle, `1 ${rows} ${columns}`);
  }

  #argv(request: MonitorRequest): string[] {
    const { runtime, id, bundle } = request;
    const argv = [this.#options.path, '--sync', '--cid', id, '--cuuid', id, '--name', id, '--bundle', bundle];
    argv.push('--runtime', programFor(request), '--container-pidfile', join(bundle, 'pid'));
    argv.push(
      '--exit-dir',
      this.#options.exitsDir,
      '--socket-dir-path',
      bundle,
      '--full-attach',
      '--no-sync-log',
    );
    argv.push(
      '--log-level',
      'error',
      '--log-path',
      request.logPath === undefined ? 'off:' : `k8s-file:${request.logPath}`,
    );
    for (const arg of runtime.globalArgs) argv.push('--runtime-arg', arg);
    if (this.#options.systemdCgroup) argv.push('--systemd-cgroup');
    if (request.tty) argv.push('--terminal');
    if (request.stdin) argv.push('--stdin');
    if (request.stdin && !request.stdinOnce) argv.push('--leave-stdin-open');
    if (request.restore !== undefined) {
      argv.push('--restore', request.restore.images);
      // What runc warns of while it restores would stand in the container's log.
      argv.push('--runtime-arg', `--log=${join(bundle, 'restore-runtime.log')}`);
    }
    return argv;
  }

  /** Ends a monitor that has not come to its report, with all it started. */
  async #abandon(mark: ProcessMark): Promise<void> {
    for (const child of descendants(mark.pid)) killProcess(child.pid, child.startTime, SIG.SIGKILL);
    killProcess(mark.pid, mark.startTime, SIG.SIGKILL);
    await this.ended(mark);
  }
}

/** The first line that comes out of a pipe, or all until its end. Closes the pipe. */
function readLine(fd: number, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: false });
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (finish: () => void): void => {
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      finish();
    };
    const abort = (): void => settle(() => reject(signal!.reason));
    if (signal?.aborted === true) return abort();
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > SYNC_MAX_BYTES || chunk.includes(0x0a))
        settle(() => resolve(Buffer.concat(chunks).toString()));
    });
    socket.on('end', () => settle(() => resolve(Buffer.concat(chunks).toString())));
    socket.on('error', (error) => settle(() => reject(error)));
  });
}

/** Lets a conmon that waits go on. One that has ended already says why in its report. */
function writeStart(go: number): void {
  try {
    writeSync(go, '0');
  } catch (error) {
    if (!isErrno(error, 'EPIPE')) throw error;
  } finally {
    closeFd(go);
  }
}

/** Reads conmon's report: `{"pid": 17}`, or a negative number and the runtime's error text. */
function createdInit(line: string, command: string): ProcessMark {
  let report: unknown;
  try {
    report = JSON.parse(line.split('\n')[0]!);
  } catch {
    throw new Fault('internal', `conmon ended without a report: ${line.trim() || 'it said nothing'}`);
  }
  const fields = report as { pid?: number; data?: number; message?: string };
  const pid = fields.pid ?? fields.data ?? -1;
  if (pid <= 0) {
    throw new Fault(
      'internal',
      `${command} failed: ${withoutCrashDump(fields.message ?? '').trim() || 'it gave no reason'}`,
    );
  }
  const startTime = processStartTime(pid);
  if (startTime === undefined) throw new Fault('internal', `Process ${pid} was gone before it was started`);
  return { pid, startTime };
}

function programFor({ runtime, userns, stdin, tty }: MonitorRequest): string {
  if (!userns || (stdin && !tty)) return runtime.program();
  const program = runtime.programWithoutInput(tty);
  if (program !== undefined) return program;
  throw new Fault('precondition', 'This node executes no files in memory', {
    hint: 'see vm.memfd_noexec in sysctl(8); pods with a user namespace need them',
  });
}
