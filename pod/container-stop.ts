import { readFileSync } from 'node:fs';
import { Fault, messageOf } from '../ground/fault.ts';
import { inStages } from '../ground/progress.ts';
import { sleep, waitOrAbort } from '../ground/wait.ts';
import { isErrno } from '../native/errno.ts';
import { killProcess } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { killCgroup } from './cgroup/kill.ts';
import { oomKills } from './cgroup/oom.ts';
import type { Container, StopInFlight } from './container.ts';
import { endUnstarted } from './container-exit.ts';
import { CONTAINER_DEBTS } from './container-release.ts';
import type { Parts } from './parts.ts';

/** How long after SIGKILL a process may take to end before the call says that it cannot be killed. */
const UNKILLABLE_AFTER_MS = 15_000;
/** A process that SIGKILL ends has ended by then, on a node that is not in trouble. */
const USUAL_END_MS = 300;

/**
 * StopContainer: the stop signal, then SIGKILL when `graceSeconds` are over. Idempotent: an unknown or ended container
 * is no error. A second call joins the running stop and may shorten its grace, never lengthen it. Throws `deadline`
 * when the process does not even end after SIGKILL; the kill is then a debt: tried again in the background, and by the
 * next call.
 */
export async function stopContainer(
  parts: Parts,
  id: string,
  graceSeconds: number,
  signal?: AbortSignal,
): Promise<void> {
  const container = parts.containers.lookup(id);
  if (container === undefined || !container.alive) return;
  container.adoptable = false;
  const killAt = performance.now() + Math.max(0, graceSeconds) * 1000;
  if (container.stop === undefined) container.stop = beginStop(parts, container, killAt);
  else container.stop.shorten(killAt);
  await waitOrAbort(container.stop.done, signal);
}

function beginStop(parts: Parts, container: Container, killAt: number): StopInFlight {
  let wake = (): void => {};
  container.oomKillsAtStop = oomKills(container.record.cgroupPath) ?? 0;
  const stop: StopInFlight = {
    killAt,
    done: Promise.resolve(),
    shorten: (earlier) => {
      if (earlier >= stop.killAt) return;
      stop.killAt = earlier;
      wake();
    },
  };
  stop.done = inStages(parts.stages, 'StopContainer', container.id, container.subject, async (at) => {
    await at.stage('signal', async () => {
      // A created container's process waits for its start and does not hear a TERM.
      if (container.record.phase === 'running' && stop.killAt > performance.now()) {
        if (!signalInit(parts, container, container.record.stopSignal)) stop.killAt = 0;
      } else stop.killAt = 0;
      for (let left = graceLeft(stop); left > 0 && container.alive; left = graceLeft(stop)) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => wake(), left);
          wake = () => {
            clearTimeout(timer);
            forget();
            resolve();
          };
          const forget = container.atExit(wake);
        });
      }
    });
    if (container.alive) await at.stage('kill', () => kill(parts, container));
  }).finally(() => {
    container.stop = undefined;
  });
  return stop;
}

function graceLeft(stop: StopInFlight): number {
  return Math.min(stop.killAt - performance.now(), 0x7fffffff);
}

/**
 * False when a security module lets nobody signal the process, such as an AppArmor profile without a `signal` rule: only
 * its cgroup can end it then.
 */
function signalInit(parts: Parts, container: Container, signal: number): boolean {
  const init = container.record.monitored?.init;
  try {
    if (init !== undefined) killProcess(init.pid, init.startTime, signal);
    return true;
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error;
    const hint = 'an AppArmor profile of the container needs the rule "signal (receive) peer=unconfined,"';
    parts.log.warn({ container: container.id, signal, hint }, 'the process may not be signalled');
    return false;
  }
}

async function kill(parts: Parts, container: Container): Promise<void> {
  if (container.record.monitored === undefined) {
    container.restoring?.abort();
    await container.starting?.catch(() => {
      // Its caller hears of it.
    });
    if (container.record.monitored === undefined) return endUnstarted(parts, container);
  }
  const heard = signalInit(parts, container, SIG.SIGKILL);
  // The end of a PID namespace's first process ends all others. In a shared one the cgroup knows who is meant; and a
  // frozen process, whose PID namespace it may ever be, does not end before it is thawed.
  const shared = container.record.config.security.namespaces.pid !== 'container';
  if (!heard || shared || !(await endsWithin(container, USUAL_END_MS))) {
    await killCgroup(container.record.cgroupPath).catch((error: unknown) => {
      parts.log.warn({ container: container.id, error: messageOf(error) }, 'could not kill by cgroup');
    });
  }
  if (await endsWithin(container, UNKILLABLE_AFTER_MS)) return;
  const pid = container.record.monitored?.init.pid;
  const fault = new Fault(
    'deadline',
    `Process ${pid} has not ended ${UNKILLABLE_AFTER_MS} ms after SIGKILL${stateOf(pid)}`,
    {
      hint: 'it is tried again in the background; look at /proc/<pid>/stack, at the storage that it uses, and whether a cgroup above it is frozen',
    },
  );
  parts.debts.owe(CONTAINER_DEBTS.kill, container.id, { cgroupPath: container.record.cgroupPath }, fault);
  throw fault;
}

async function endsWithin(container: Container, ms: number): Promise<boolean> {
  const late = new AbortController();
  const ended = await Promise.race([
    container.exited.then(() => true),
    sleep(ms, late.signal).then(
      () => false,
      () => true,
    ),
  ]);
  late.abort();
  return ended;
}

/** `; its state is D (disk sleep)`, as proc(5) has it; empty when it is gone. */
function stateOf(pid: number | undefined): string {
  try {
    const state = /^State:\t(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return state === undefined ? '' : `; its state is ${state}`;
  } catch {
    return ''; // It has ended just now.
  }
}
