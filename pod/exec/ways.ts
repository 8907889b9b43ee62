import { messageOf } from '../../ground/fault.ts';
import { collect, type CollectOptions, type RunResult } from '../../native/run.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import { Joining } from './joining.ts';
import { entryOrder } from './order.ts';
import { requireNotEnded } from './permission.ts';
import { launchByRuntime, type LaunchedCommand } from './start-runtime.ts';
import { complain, wayWords, wordsFor } from './trouble.ts';
import { whyByRuntime } from './way.ts';

/** What became of a command. */
export interface CommandOutcome {
  result: RunResult;
  /** Why it did not run at all. */
  failure: string | undefined;
}

/**
 * Runs a command in a container by joining its namespaces and cgroup. Resolves with undefined when that cannot be done
 * here, and the command has not begun. Rejects with the signal's reason when that has aborted before the start, with
 * Fault `precondition` when the container has ended.
 */
export async function byJoining(
  parts: Parts,
  container: Container,
  command: string[],
  options: CollectOptions,
): Promise<CommandOutcome | undefined> {
  if (whyByRuntime(parts, container) !== undefined) return undefined;
  const order = entryOrder(parts, container, command);
  let joining: Joining | undefined;
  const giveUp = (trouble: string): undefined => {
    requireNotEnded(container);
    complain(parts, trouble);
  };
  let result: RunResult;
  try {
    result = await collect(options, async (...streams) => {
      joining = await Joining.start(parts.exits, order, container.record.monitored!.init, streams);
      return joining;
    });
  } catch (error) {
    if (joining !== undefined || options.signal?.aborted === true) throw error;
    return giveUp(messageOf(error));
  }
  const failure = joining?.failure;
  if (failure === undefined || result.killed !== undefined) return { result, failure: undefined };
  if (failure.command) return { result, failure: wordsFor(failure, command[0]!) };
  return giveUp(wayWords(failure));
}

/** Runs a command in a container by the OCI runtime's exec. */
export async function byRuntime(
  parts: Parts,
  container: Container,
  command: string[],
  options: CollectOptions,
): Promise<CommandOutcome> {
  let launched: LaunchedCommand | undefined;
  // Not the node's /dev/null as input: crun gives the standard streams to the command's user.
  const result = await collect({ ...options, stdin: new Uint8Array() }, async (...streams) => {
    launched = await launchByRuntime(parts, container, command, streams);
    return launched;
  });
  return { result, failure: (await launched?.begun)?.words };
}
