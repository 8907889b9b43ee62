import { messageOf } from '../../ground/fault.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { ExecRequest } from '../streams.ts';
import { CommandPipes } from './command-pipes.ts';
import { CommandTerminal } from './command-terminal.ts';
import { Joining } from './joining.ts';
import { entryOrder } from './order.ts';
import { requireNotEnded } from './permission.ts';
import type { Refusal, StartedCommand } from './started-command.ts';
import { EntryDoor } from './terminal-doors.ts';
import { complain, wayWords, wordsFor } from './trouble.ts';
import { whyByRuntime } from './way.ts';

/** Starts a command by joining the container; undefined when that cannot be done here. */
export async function startByJoining(
  parts: Parts,
  container: Container,
  request: ExecRequest,
): Promise<StartedCommand | undefined> {
  if (whyByRuntime(parts, container) !== undefined) return undefined;
  const { command } = request;
  const streams = request.tty
    ? new CommandTerminal(parts.exits.readiness, new EntryDoor(), request)
    : new CommandPipes(request);
  try {
    const order = entryOrder(parts, container, command, request.tty);
    const joining = await Joining.start(parts.exits, order, container.record.monitored!.init, streams.theirs);
    streams.closeTheirs();
    return {
      streams,
      exited: joining.exited,
      begun: Promise.race([joining.begun, joining.exited]).then(() => refusalOf(joining, command[0]!)),
      kill: () => joining.kill(),
    };
  } catch (error) {
    streams.destroy();
    requireNotEnded(container);
    complain(parts, messageOf(error));
    return undefined;
  }
}

function refusalOf({ failure }: Joining, command: string): Refusal | undefined {
  if (failure === undefined) return undefined;
  if (failure.command) return { words: wordsFor(failure, command), way: false };
  return { words: wayWords(failure), way: true };
}
