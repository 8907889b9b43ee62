import { Fault } from '../../ground/fault.ts';
import { waitOrAbort } from '../../ground/wait.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { ExecRequest, ExecSession } from '../streams.ts';
import { CommandSession } from './command-session.ts';
import { commandContainer, requireNotEnded } from './permission.ts';
import { startByJoining } from './start-joining.ts';
import { startByRuntime } from './start-runtime.ts';
import type { StartedCommand } from './started-command.ts';
import { complain } from './trouble.ts';

/**
 * Exec: a command in a running container with its streams (CRI Exec). Resolves when the command has begun. The session
 * ends with the command, the container, the daemon, or by its `kill()`.
 * Throws `not-found`, `precondition` when the container does not run or is paused, `invalid` for a command that cannot
 * be run, the signal's reason when that aborts before the command has begun.
 */
export async function exec(
  parts: Parts,
  id: string,
  request: ExecRequest,
  signal?: AbortSignal,
): Promise<ExecSession> {
  const container = commandContainer(parts, id, request.command);
  if (request.tty && request.stderr) {
    throw new Fault('invalid', 'A terminal has one output: stderr cannot be had with it', {
      subject: container.subject,
    });
  }
  signal?.throwIfAborted();
  container.execs++;
  try {
    const session = new CommandSession(await begin(parts, container, request, signal));
    const over = session.exited.catch(() => {});
    void over.then(() => container.execs--);
    parts.sessions.add(() => session.kill(), over);
    // Its processes are killed with the container's cgroup; this is for one that has left it.
    const forget = container.atExit(() => session.kill());
    void over.then(forget);
    return session;
  } catch (error) {
    container.execs--;
    throw error;
  }
}

async function begin(
  parts: Parts,
  container: Container,
  request: ExecRequest,
  signal: AbortSignal | undefined,
): Promise<StartedCommand> {
  for (const start of [startByJoining, startByRuntime]) {
    const command = await start(parts, container, request);
    if (command === undefined) continue;
    // Whoever waits for the command looks at that.
    command.exited.catch(() => {});
    const refusal = await begun(command, signal);
    if (refusal === undefined) return opened(command);
    command.streams.destroy();
    requireNotEnded(container);
    if (refusal.way) complain(parts, refusal.words);
    else throw refused(container, refusal.words);
  }
  throw refused(container, 'there is no way into the container');
}

function begun(
  command: StartedCommand,
  signal: AbortSignal | undefined,
): Promise<Awaited<StartedCommand['begun']>> {
  return waitOrAbort(command.begun, signal).catch((error: unknown) => {
    command.kill();
    command.streams.destroy();
    throw error;
  });
}

function opened(command: StartedCommand): StartedCommand {
  try {
    command.streams.open();
    return command;
  } catch (error) {
    command.kill();
    command.streams.destroy();
    throw error;
  }
}

function refused(container: Container, words: string): Fault {
  return new Fault('invalid', `The command could not be run: ${words}`, { subject: container.subject });
}
