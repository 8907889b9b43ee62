import { Fault } from '../../ground/fault.ts';
import { startChild, type Child } from '../../native/child.ts';
import type { ExitStatus, ExitWatcher } from '../../native/exits.ts';
import { OwnedFd, pipe2, sealedProgram, socketpair } from '../../native/fd.ts';
import { pidfdOpen, processStartTime } from '../../native/pidfd.ts';
import type { Started } from '../../native/run.ts';
import { SIG } from '../../native/signals.ts';
import type { ProcessMark } from '../monitor.ts';
import type { CallList } from './call-list.ts';
import { ENTRY_FD, entryCalls, type EntryOrder } from './entry.ts';
import { readReport } from './interpreter.ts';
import { killSupervised } from './kill-command.ts';
import { ReportSocket } from './report.ts';
import { StatusPipe } from './status-pipe.ts';

/** Why a command did not run. */
export interface EntryFailure {
  /** What could not be done: `join its namespaces`. */
  what: string;
  /** 0 when the entry ended without a word. */
  errno: number;
  /** Whether the last step failed, the command itself: nothing stands in the way of joining the container. */
  command: boolean;
}

/**
 * A command on its way into a container (`entry.ts`):
 *
 * ```
 * spawn entry ──► outer ──► reports the supervisor's pid ──► daemon watches it, opens the gate ──► command ──► exit
 *                   └ fails: reports, ends                     └ fails: reports, ends
 * ```
 *
 * The supervisor says how the command ended, and stays as long as anything lives that came from it.
 *
 * The gate is there so that the command's exit status cannot be lost: an unwatched child would be reaped as an orphan.
 * When the daemon ends before that, the gate is closed and no command runs that nobody waits for.
 */
export class Joining implements Started {
  readonly exited: Promise<ExitStatus>;
  /** Resolves when the command has begun, or it is known that it will not. */
  readonly begun: Promise<void>;
  /** Known when `begun` or `exited` has settled. */
  failure: EntryFailure | undefined;
  readonly #exits: ExitWatcher;
  readonly #list: CallList;
  readonly #cgroupPath: string;
  readonly #entry: Child;
  readonly #report: ReportSocket;
  readonly #status: StatusPipe;
  #command: { supervisor: ProcessMark; exited: Promise<ExitStatus> } | undefined;

  private constructor(
    exits: ExitWatcher,
    list: CallList,
    cgroupPath: string,
    entry: Child,
    report: number,
    status: number,
  ) {
    this.#exits = exits;
    this.#list = list;
    this.#cgroupPath = cgroupPath;
    this.#entry = entry;
    this.#status = new StatusPipe(status);
    this.#report = new ReportSocket(report, (bytes) => this.#hear(bytes));
    this.begun = this.#report.ended;
    this.exited = this.#wait();
  }

  /**
   * Starts the entry; resolves when it runs. The streams stay the caller's. Rejects with Fault `precondition` when the
   * container's process is gone, with ErrnoError when the entry cannot be started.
   */
  static async start(
    exits: ExitWatcher,
    order: EntryOrder,
    init: ProcessMark,
    streams: readonly [stdin: number, stdout: number, stderr: number],
  ): Promise<Joining> {
    const list = entryCalls(order);
    using container = openProcess(init);
    using program = new OwnedFd(sealedProgram('berth-exec', list.program()));
    const [ours, theirs] = socketpair();
    const [statusIn, statusOut] = pipe2();
    using undo = new DisposableStack();
    undo.use(new OwnedFd(ours));
    undo.use(new OwnedFd(statusIn));
    using status = new OwnedFd(statusOut);
    using report = new OwnedFd(theirs);
    const entry = await startChild(exits, {
      path: `/proc/self/fd/${ENTRY_FD.program}`,
      argv: ['berth-exec'],
      env: [],
      fds: [...streams, report.fd, program.fd, container.fd, status.fd],
      setpgroup: true,
    });
    undo.move();
    return new Joining(exits, list, order.cgroupPath, entry, ours, statusIn);
  }

  kill(): void {
    this.#report.drain();
    if (this.#command !== undefined) return killSupervised(this.#command.supervisor, this.#cgroupPath);
    // An inner process that nobody knows of yet finds the gate closed.
    this.#report.close();
    process.kill(this.#entry.pid, SIG.SIGKILL);
  }

  async #wait(): Promise<ExitStatus> {
    try {
      const outer = await this.#entry.exited;
      this.#report.drain();
      if (this.#command !== undefined) return await this.#command.exited;
      this.failure ??= { what: 'start', errno: 0, command: false };
      return outer;
    } finally {
      this.#report.drain();
      this.#report.close();
      this.#status.close();
    }
  }

  #hear(bytes: Buffer): void {
    const report = readReport(bytes, this.#list.dataSize);
    if (report.kind === 'forked') {
      const { pid } = report;
      const exited = this.#watch(pid);
      // Awaited when the outer process has ended.
      exited.catch(() => {});
      // A zombie has its start time, too: the watcher reaps it in a later turn.
      this.#command = { supervisor: { pid, startTime: processStartTime(pid) ?? 0n }, exited };
      return;
    }
    // Behind the last call: no place where the command could be had it.
    const { what, kind } = this.#list.calls[report.call] ?? { what: 'find the command', kind: 'exec' };
    this.failure = { what, errno: report.errno, command: kind === 'exec' };
  }

  async #watch(pid: number): Promise<ExitStatus> {
    try {
      const over = this.#exits.watch(pid);
      this.#report.proceed();
      // A supervisor that was killed has said nothing: its own end is all there is to know.
      return (await this.#status.status) ?? (await over);
    } catch (error) {
      this.#report.close();
      throw error;
    }
  }
}

/** A pidfd of this very process. */
function openProcess({ pid, startTime }: ProcessMark): OwnedFd {
  using undo = new DisposableStack();
  const pidfd = undo.use(new OwnedFd(pidfdOpen(pid)));
  if (processStartTime(pid) !== startTime)
    throw new Fault('precondition', "The container's first process is gone");
  undo.move();
  return pidfd;
}
