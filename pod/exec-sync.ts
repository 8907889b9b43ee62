import { Fault } from '../ground/fault.ts';
import { inTime } from '../ground/wait.ts';
import type { CollectOptions } from '../native/run.ts';
import type { Parts } from './parts.ts';
import type { ExecResult } from './pods.ts';
import { commandContainer, requireNotEnded } from './exec/permission.ts';
import { byJoining, byRuntime, type CommandOutcome } from './exec/ways.ts';

/** What ExecSync keeps of each stream at most; the rest is read and dropped, as with the peers. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** How long after the command's end its pipes are read on while a child of it holds them (containerd#9568). */
const DRAIN_MS = 100;

/**
 * ExecSync: runs a command inside a running container and returns its output (at most 16 MiB a stream) and exit code.
 * The command's end decides, not the end of its pipes. When the timeout or the caller's deadline passes, the command
 * is killed with all that came from it and the call fails with `deadline`.
 * Throws `invalid` for a command that cannot be found or executed, `precondition` when the container does not run.
 */
export async function execSync(
  parts: Parts,
  id: string,
  command: string[],
  timeoutSeconds: number,
  signal?: AbortSignal,
): Promise<ExecResult> {
  const container = commandContainer(parts, id, command);
  const { record, subject } = container;
  const options: CollectOptions = { maxOutput: MAX_OUTPUT_BYTES, drainMs: DRAIN_MS };
  let late = false;
  const ended = async (either: AbortSignal | undefined): Promise<CommandOutcome> => {
    const withSignal = { ...options, signal: either };
    const found =
      (await byJoining(parts, container, command, withSignal)) ??
      (await byRuntime(parts, container, command, withSignal));
    late = either?.aborted === true && signal?.aborted !== true;
    return found;
  };
  container.execs++;
  try {
    const { result, failure } = await (timeoutSeconds > 0
      ? inTime(timeoutSeconds * 1000, ended, signal)
      : ended(signal));
    if (late) {
      throw new Fault('deadline', `The command did not end within ${timeoutSeconds} s and was killed`, {
        subject,
      });
    }
    signal?.throwIfAborted();
    if (failure !== undefined) {
      requireNotEnded(container);
      throw new Fault('invalid', `The command could not be run: ${failure}`, { subject });
    }
    if (result.truncated)
      parts.log.warn({ container: record.id }, 'output of ExecSync was cut to 16 MiB a stream');
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.code };
  } finally {
    container.execs--;
  }
}
