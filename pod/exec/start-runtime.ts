import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sleep } from '../../ground/wait.ts';
import { isErrno } from '../../native/errno.ts';
import { killProcess, processStartTime } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';
import { spawn } from '../../native/spawn.ts';
import type { Container } from '../container.ts';
import { readLog } from '../oci-driver.ts';
import { lastRuntimeError } from '../oci-runtime.ts';
import type { Parts } from '../parts.ts';
import type { ExecRequest } from '../streams.ts';
import { CommandPipes } from './command-pipes.ts';
import { killCommand } from './kill-command.ts';
import type { Refusal, StartedCommand } from './started-command.ts';
import { commandTemplate } from './template.ts';

/** How often it is looked whether the command has begun, and for how long. */
const LOOK_MS = 5;
const LOOKS = 400;

let commands = 0;

/** Starts a command by the OCI runtime's exec, which stays its parent until it ends. Throws when that cannot be started. */
export function startByRuntime(parts: Parts, container: Container, request: ExecRequest): StartedCommand {
  const { record } = container;
  const stem = join(parts.paths.bundle(record.id), `session-${commands++}`);
  const files = { process: `${stem}.json`, log: `${stem}.log`, pid: `${stem}.pid` };
  const { process } = commandTemplate(parts, container);
  const runtime = parts.handlers
    .pick(record.handler)
    .runtime.exec(record.id, files.process, files.log, files.pid);
  const streams = new CommandPipes(request);
  const cleanUp = (): void => {
    for (const file of Object.values(files)) rmSync(file, { force: true });
  };
  try {
    writeFileSync(files.process, JSON.stringify({ ...process, args: request.command, terminal: false }), {
      mode: 0o600,
    });
    const pid = spawn({ ...runtime, fds: [...streams.theirs], setpgroup: true });
    const exited = parts.exits.watch(pid);
    const startTime = processStartTime(pid) ?? 0n;
    streams.closeTheirs();
    const over = new AbortController();
    let refusal: Refusal | undefined;
    const ended = exited.then(({ code }) => {
      over.abort();
      const words = code === 0 ? undefined : lastRuntimeError(readLog(files.log));
      if (words !== undefined) refusal = { words, way: false };
      cleanUp();
    });
    const inside = waitInside(files.pid, basename(runtime.path), over.signal);
    return {
      streams,
      exited,
      begun: Promise.race([ended, inside]).then(() => refusal),
      kill: () => {
        killCommand(pid, record.cgroupPath);
        killProcess(pid, startTime, SIG.SIGKILL);
      },
    };
  } catch (error) {
    streams.destroy();
    cleanUp();
    throw error;
  }
}

/**
 * Resolves when the process whose pid the runtime wrote is no longer the runtime's program; when that cannot be seen,
 * after two seconds: a command that fails later than that says so with its exit code.
 */
async function waitInside(pidFile: string, runtime: string, over: AbortSignal): Promise<void> {
  try {
    for (let look = 0; look < LOOKS && !isInside(pidFile, runtime); look++) await sleep(LOOK_MS, over);
  } catch (error) {
    if (!over.aborted) throw error;
    // The end of the runtime says more: whoever races with this hears of it.
    await new Promise(() => {});
  }
}

function isInside(pidFile: string, runtime: string): boolean {
  try {
    const program = readlinkSync(`/proc/${Number(readFileSync(pidFile, 'latin1'))}/exe`);
    // The runtime runs from a copy of itself in memory.
    return !program.startsWith('/memfd:') && basename(program) !== runtime;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}
