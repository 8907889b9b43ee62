import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { killProcess } from '../native/pidfd.ts';
import { run } from '../native/run.ts';
import { SIG } from '../native/signals.ts';
import { readLog } from './oci-driver.ts';
import { lastRuntimeError } from './oci-runtime.ts';
import type { Parts } from './parts.ts';
import type { ExecResult } from './pods.ts';
import { descendants } from './process-tree.ts';
import { bundleProcess } from './bundle.ts';

/** What ExecSync keeps of each stream at most; the rest is read and dropped, as with the peers. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** How long after the command's end its pipes are read on while a child of it holds them (containerd#9568). */
const DRAIN_MS = 100;

let execs = 0;

/**
 * ExecSync: runs a command inside a running container and returns its output (at most 16 MiB a stream) and exit code.
 * The command's end decides, not the end of its pipes. When the timeout or the caller's deadline passes, the command
 * is killed with all of its descendants and the call fails with `deadline`.
 */
export async function execSync(
  parts: Parts,
  id: string,
  command: string[],
  timeoutSeconds: number,
  signal?: AbortSignal,
): Promise<ExecResult> {
  const container = parts.containers.find(id);
  const { record, subject } = container;
  if (command.length === 0) throw new Fault('invalid', 'The command is empty', { subject });
  if (record.phase !== 'running') {
    throw new Fault(
      'precondition',
      `It is ${container.state}, and a command can only run in a running container`,
      { subject },
    );
  }
  const bundle = parts.paths.bundle(record.id);
  const stem = join(bundle, `exec-${execs++}`);
  const files = { process: `${stem}.json`, log: `${stem}.log` };
  writeFileSync(
    files.process,
    JSON.stringify({ ...bundleProcess(parts, container), args: command, terminal: false }),
    { mode: 0o600 },
  );
  container.execs++;
  try {
    const limit = timeoutSeconds > 0 ? AbortSignal.timeout(timeoutSeconds * 1000) : undefined;
    const result = await run(parts.exits, {
      ...parts.handlers.pick(record.handler).runtime.exec(record.id, files.process, files.log),
      maxOutput: MAX_OUTPUT_BYTES,
      drainMs: DRAIN_MS,
      signal: AbortSignal.any([signal, limit].filter((one) => one !== undefined)),
      beforeKill: killTree,
    });
    if (limit?.aborted === true) {
      throw new Fault('deadline', `The command did not end within ${timeoutSeconds} s and was killed`, {
        subject,
      });
    }
    signal?.throwIfAborted();
    const failure = result.code === 0 ? undefined : lastRuntimeError(readLog(files.log));
    if (failure !== undefined) {
      throw new Fault(
        container.alive ? 'invalid' : 'precondition',
        `The command could not be run: ${failure}`,
        { subject },
      );
    }
    if (result.truncated)
      parts.log.warn({ container: record.id }, 'output of ExecSync was cut to 16 MiB a stream');
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.code };
  } finally {
    container.execs--;
    rmSync(files.process, { force: true });
    rmSync(files.log, { force: true });
  }
}

/** Ends a command with all that came from it: the runtime's child is the command (containerd#4594). */
function killTree(pid: number): void {
  for (const child of descendants(pid)) killProcess(child.pid, child.startTime, SIG.SIGKILL);
}
