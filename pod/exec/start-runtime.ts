import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { ExitStatus } from '../../native/exits.ts';
import { killProcess, processStartTime } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';
import { spawn } from '../../native/spawn.ts';
import type { Container } from '../container.ts';
import { readLog } from '../oci-driver.ts';
import { lastRuntimeError, type ExecFiles } from '../oci-runtime.ts';
import type { Parts } from '../parts.ts';
import type { ExecRequest } from '../streams.ts';
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
 * parent then, as with the other way. Throws when the runtime cannot be started.
 */
export function startByRuntime(parts: Parts, container: Container, request: ExecRequest): StartedCommand {
  const { record } = container;
  const { runtime } = parts.handlers.pick(record.handler);
  using undo = new DisposableStack();
  const number = commands++;
  const file = (name: string): string => join(parts.paths.bundle(record.id), `session-${number}.${name}`);
  const detached: NonNullable<ExecFiles['detached']> = { pid: file('pid') };
  if (request.tty) detached.console = join(parts.paths.consoles, String(number));
  const files = { process: file('json'), log: file('log'), detached };
  undo.defer(() => {
    for (const path of [files.process, files.log, detached.pid]) rmSync(path, { force: true });
  });
  const { process } = commandTemplate(parts, container);
  const template = commandProcess(process, request.command, request.tty);
  writeFileSync(files.process, JSON.stringify(template), { mode: 0o600 });
  const streams = runtimeStreams(parts, request, detached.console);
  using failed = new DisposableStack();
  failed.defer(() => streams.destroy());
  const outer = spawn({ ...runtime.exec(record.id, files), fds: [...streams.theirs], setpgroup: true });
  const started = new RuntimeCommand(parts, record.cgroupPath, outer, files, streams, undo.move());
  streams.closeTheirs();
  failed.move();
  return started;
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
class RuntimeCommand implements StartedCommand {
  readonly streams: CommandStreams;
  readonly begun: Promise<Refusal | undefined>;
  readonly exited: Promise<ExitStatus>;
  readonly #cgroupPath: string;
  /** The process to be killed: the runtime, then the command. */
  #process: { pid: number; startTime: bigint };

  constructor(
    parts: Parts,
    cgroupPath: string,
    outer: number,
    files: ExecFiles,
    streams: CommandStreams,
    cleanUp: Disposable,
  ) {
    this.streams = streams;
    this.#cgroupPath = cgroupPath;
    // From the runtime's end on the command is an orphan.
    const orphan = parts.exits.expectOrphan();
    const ended = parts.exits.watch(outer);
    this.#process = { pid: outer, startTime: processStartTime(outer) ?? 0n };
    const command = ended
      .then((status) => {
        if (status.code !== 0) return { refusal: refusalOf(files.log), exited: Promise.resolve(status) };
        const pid = Number(readFileSync(files.detached!.pid, 'latin1'));
        if (!(pid > 0)) throw new Fault('internal', 'The runtime did not write the pid of its command');
        this.#process = { pid, startTime: processStartTime(pid) ?? 0n };
        return { refusal: undefined, exited: parts.exits.watch(pid) };
      })
      .finally(() => {
        orphan[Symbol.dispose]();
        cleanUp[Symbol.dispose]();
      });
    this.begun = command.then(({ refusal }) => refusal);
    this.exited = command.then(({ exited }) => exited);
  }

  kill(): void {
    const { pid, startTime } = this.#process;
    if (processStartTime(pid) !== startTime) return;
    killCommand(pid, this.#cgroupPath);
    killProcess(pid, startTime, SIG.SIGKILL);
  }
}

function refusalOf(log: string): Refusal {
  return { words: lastRuntimeError(readLog(log)) ?? 'the OCI runtime gave no reason', way: false };
}
