import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { startChild, type Child } from '../../native/child.ts';
import type { ExitStatus } from '../../native/exits.ts';
import { killProcess, processStartTime } from '../../native/pidfd.ts';
import type { Started } from '../../native/run.ts';
import { SIG } from '../../native/signals.ts';
import type { Container } from '../container.ts';
import { readLog } from '../oci-driver.ts';
import { lastRuntimeError, type ExecFiles } from '../oci-runtime.ts';
import type { Parts } from '../parts.ts';
import type { ExecRequest } from '../streams.ts';
import { CommandCgroup } from './command-cgroup.ts';
import { CommandPipes } from './command-pipes.ts';
import type { CommandStreams } from './command-streams.ts';
import { CommandTerminal } from './command-terminal.ts';
import { killCommand } from './kill-command.ts';
import { commandProcess } from './order.ts';
import type { Refusal, StartedCommand } from './started-command.ts';
import { commandTemplate } from './template.ts';
import { RuntimeDoor } from './terminal-doors.ts';

let commands = 0;

/**
 * Starts a command by the OCI runtime's exec, which ends as soon as the command has begun: the daemon is the command's
 * parent then, as with the other way. Rejects when the runtime cannot be started.
 */
export async function startByRuntime(
  parts: Parts,
  container: Container,
  request: ExecRequest,
): Promise<StartedCommand> {
  const console = request.tty ? join(parts.paths.consoles, String(commands)) : undefined;
  const streams = runtimeStreams(parts, request, console);
  try {
    const { begun, exited, kill } = await launchByRuntime(
      parts,
      container,
      request.command,
      streams.theirs,
      console,
    );
    streams.closeTheirs();
    return { streams, begun, exited, kill };
  } catch (error) {
    streams.destroy();
    throw error;
  }
}

/** A command that the runtime is about to take into its container, or has. */
export interface LaunchedCommand extends Started {
  readonly begun: StartedCommand['begun'];
}

/**
 * The same with standard streams of the caller's, or with a terminal whose master is sent to the socket `console`.
 * (With the runtime as the command's parent its exit would wait for whoever holds the output: runc copies it.)
 */
export async function launchByRuntime(
  parts: Parts,
  container: Container,
  command: string[],
  theirs: readonly [stdin: number, stdout: number, stderr: number],
  console?: string,
): Promise<LaunchedCommand> {
  const { record } = container;
  const { runtime, status } = parts.handlers.pick(record.handler);
  using written = new DisposableStack();
  using made = new DisposableStack();
  const number = commands++;
  const file = (name: string): string => join(parts.paths.bundle(record.id), `session-${number}.${name}`);
  const detached = { pid: file('pid'), ...(console === undefined ? {} : { console }) };
  const files = { process: file('json'), log: file('log'), detached };
  written.defer(() => {
    for (const path of [files.process, files.log, detached.pid]) rmSync(path, { force: true });
  });
  const { process } = commandTemplate(parts, container);
  const template = commandProcess(process, command, console !== undefined);
  writeFileSync(files.process, JSON.stringify(template), { mode: 0o600 });
  const cgroup = CommandCgroup.open(record.cgroupPath, status.features.commandCgroups);
  made.defer(() => void cgroup?.[Symbol.asyncDispose]());
  const line = runtime.exec(record.id, { ...files, ...(cgroup && { cgroup: cgroup.flag }) });
  const outer = await startChild(parts.exits, { ...line, fds: [...theirs], setpgroup: true });
  const running = new RuntimeCommand(parts, record.cgroupPath, cgroup, outer, files);
  const { begun, exited } = running;
  const [notes, place] = [written.move(), made.move()];
  begun.catch(() => {}).finally(() => notes[Symbol.dispose]());
  exited.catch(() => {}).finally(() => place[Symbol.dispose]());
  return { begun, exited, kill: () => running.kill() };
}

function runtimeStreams(parts: Parts, request: ExecRequest, path: string | undefined): CommandStreams {
  if (path === undefined) return new CommandPipes(request);
  return new CommandTerminal(parts.exits.readiness, new RuntimeDoor(path), request);
}

/**
 * ```
 * runtime ──► ends with code 0: the command runs, its pid is in the file ──► watched ──► exit
 *         └─► ends otherwise: its words are in the log
 * ```
 */
class RuntimeCommand implements LaunchedCommand {
  readonly begun: Promise<Refusal | undefined>;
  readonly exited: Promise<ExitStatus>;
  readonly #container: string;
  readonly #own: CommandCgroup | undefined;
  /** The process to be killed: the runtime, then the command. */
  #process: { pid: number; startTime: bigint };

  /** `container` and `own`: the container's cgroup, and the command's below it. */
  constructor(
    parts: Parts,
    container: string,
    own: CommandCgroup | undefined,
    outer: Child,
    files: ExecFiles,
  ) {
    this.#container = container;
    this.#own = own;
    // From the runtime's end on the command is an orphan.
    const orphan = parts.exits.expectOrphan();
    this.#process = { pid: outer.pid, startTime: processStartTime(outer.pid) ?? 0n };
    const command = outer.exited
      .then((status) => {
        if (status.code !== 0) return { refusal: refusalOf(files.log), exited: Promise.resolve(status) };
        const pid = Number(readFileSync(files.detached!.pid, 'latin1'));
        if (!(pid > 0)) throw new Fault('internal', 'The runtime did not write the pid of its command');
        this.#process = { pid, startTime: processStartTime(pid) ?? 0n };
        return { refusal: undefined, exited: parts.exits.watch(pid) };
      })
      .finally(() => orphan[Symbol.dispose]());
    this.begun = command.then(({ refusal }) => refusal);
    this.exited = command.then(({ exited }) => exited);
    // Whoever waits for the command looks at that.
    this.begun.catch(() => {});
  }

  kill(): void {
    const { pid, startTime } = this.#process;
    if (processStartTime(pid) !== startTime) return;
    killCommand(pid, this.#container);
    this.#own?.kill();
    killProcess(pid, startTime, SIG.SIGKILL);
  }
}

function refusalOf(log: string): Refusal {
  return { words: lastRuntimeError(readLog(log)) ?? 'the OCI runtime gave no reason', way: false };
}
