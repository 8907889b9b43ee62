import { Fault, messageOf } from '../ground/fault.ts';
import { inStages } from '../ground/progress.ts';
import { waitOrAbort } from '../ground/wait.ts';
import { killProcess } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { killCgroup } from './cgroup/kill.ts';
import { oomKills } from './cgroup/oom.ts';
import type { Container, StopInFlight } from './container.ts';
import type { Parts } from './parts.ts';

/** How long after SIGKILL a process may take to end before the call says that it cannot be killed. */
const UNKILLABLE_AFTER_MS = 15_000;

/**
 * StopContainer: the stop signal, then SIGKILL when `graceSeconds` are over. Idempotent: an unknown or ended container
 * is no error. A second call joins the running stop and may shorten its grace, never lengthen it. Throws `deadline`
 * when the process does not even end after SIGKILL; the kill is then tried again by the next call.
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
        signalInit(container, container.record.stopSignal);
      } else stop.killAt = 0;
      for (let left = graceLeft(stop); left > 0 && container.alive; left = graceLeft(stop)) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          void container.exited.then(wake);
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

function signalInit(container: Container, signal: number): void {
  const init = container.record.monitored?.init;
  if (init !== undefined) killProcess(init.pid, init.startTime, signal);
}

async function kill(parts: Parts, container: Container): Promise<void> {
  signalInit(container, SIG.SIGKILL);
  // A process of a shared PID namespace leaves its siblings behind: the cgroup knows them all.
  if (container.record.config.security.namespaces.pid !== 'container') {
    await killCgroup(container.record.cgroupPath).catch((error: unknown) => {
      parts.log.warn({ container: container.id, error: messageOf(error) }, 'could not kill by cgroup');
    });
  }
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => resolve('late'), UNKILLABLE_AFTER_MS);
  const outcome = await Promise.race([container.exited, late]);
  clearTimeout(timer);
  if (outcome === 'late') {
    throw new Fault(
      'deadline',
      `Process ${container.record.monitored?.init.pid} has not ended ${UNKILLABLE_AFTER_MS} ms after SIGKILL`,
      {
        hint: 'it is likely blocked in the kernel (state D): look at /proc/<pid>/stack and at the storage it uses',
      },
    );
  }
}
