import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import { killProcess } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { oomKills, oomPlace, type OomPlace } from './cgroup/oom.ts';
import type { Container } from './container.ts';
import { releaseRuntime } from './container-release.ts';
import { announceContainer } from './events.ts';
import type { ExitRecord } from './monitor.ts';
import type { Parts } from './parts.ts';

/** What the caller reads when nobody saw how a container ended. */
const UNKNOWN_EXIT_CODE = 255;
const KILLED_EXIT_CODE = 137;
/** What the peers say of a container that had no process. */
const UNSTARTED_EXIT_CODE = 128;

/**
 * Follows a created or running container to its end. The exit code is the monitor's: it waited before the container
 * was started. Only when the monitor itself was killed does the daemon end the container (its pipes have no reader
 * any more) and record what it knows.
 */
export function watchContainer(parts: Parts, container: Container): void {
  const { monitored } = container.record;
  if (monitored === undefined) return;
  parts.oomLedger?.enter(container.id, container.record.cgroupPath);
  const { id, logPath } = container.record;
  const bundle = parts.paths.bundle(id);
  parts.logCap.follow(container, () => parts.monitor.reopenLog(monitored.monitor, bundle, logPath));
  void parts.monitor
    .ended(monitored.monitor)
    .then(async () => parts.monitor.exitOf(container.id) ?? (await endWithoutMonitor(parts, container)))
    .then((exit) => recordExit(parts, container, exit))
    .catch((error: unknown) => {
      parts.log.error({ container: container.id, error: messageOf(error) }, 'could not record the exit');
    });
}

/** The monitor is gone and left no exit code. */
async function endWithoutMonitor(parts: Parts, container: Container): Promise<ExitRecord> {
  const { init } = container.record.monitored!;
  parts.log.warn({ container: container.id }, 'the monitor has died: ending the container');
  const wasAlive = killProcess(init.pid, init.startTime, SIG.SIGKILL);
  container.record.message ||= 'The monitor of this container died, so the container was ended';
  if (!wasAlive) {
    container.record.reason ||= 'Unknown';
    return { code: UNKNOWN_EXIT_CODE, atNs: parts.clock.nowNs() };
  }
  await parts.exits.watch(init.pid);
  return { code: KILLED_EXIT_CODE, atNs: parts.clock.nowNs() };
}

/**
 * The end of a container from a checkpoint that never had a process. `gone`: settles when what tries to make one is
 * gone. Nothing when it has ended.
 */
export function endUnstarted(parts: Parts, container: Container, gone?: Promise<void>): void {
  recordExit(parts, container, { code: UNSTARTED_EXIT_CODE, atNs: parts.clock.nowNs() }, gone);
}

/**
 * Writes the end of a container down, then gives back what it held (after `gone`). OOM is read from the cgroup here, before the
 * runtime removes it (containerd#8180). Times are clamped so that created ≤ started ≤ finished: file times in the
 * kernel lag up to one tick.
 */
export function recordExit(
  parts: Parts,
  container: Container,
  exit: ExitRecord,
  gone: Promise<void> = Promise.resolve(),
): void {
  const { record } = container;
  if (record.phase === 'exited') return;
  const kills = oomKillsAtExit(parts, container, exit.code);
  const oom = kills > container.oomKillsAtStop;
  record.exitCode = exit.code;
  const started = record.startedAtNs !== 0n;
  if (record.startedAtNs === 0n) record.startedAtNs = record.createdAtNs;
  record.finishedAtNs = exit.atNs > record.startedAtNs ? exit.atNs : record.startedAtNs + 1n;
  if (record.reason === '') {
    record.reason = exitReason(exit.code, oom);
    if (kills > 0) record.message ||= oomMessage(kills, record.cgroupPath);
  }
  // It ended before the start had come to its commit: nobody has told of the start yet.
  const startUntold = record.phase === 'created' && started && record.reason !== 'StartError';
  record.phase = 'exited';
  parts.containerRecords.put(record.id, record);
  if (startUntold) announceContainer(parts, container, 'started');
  announceContainer(parts, container, 'stopped');
  container.markExited();
  parts.logCap.leave(container.id);
  const release = async (): Promise<void> => {
    await gone.catch((error: unknown) => {
      parts.log.error({ container: record.id, error: messageOf(error) }, 'could not end what made it');
    });
    await releaseRuntime(parts, container);
  };
  container.releasing = release().finally(() => {
    container.releasing = undefined;
  });
}

/**
 * systemd removes a scope with its last process: then the pod's cgroup tells (`OomLedger`), or the file that the monitor
 * has left, if it came in time.
 */
function oomKillsAtExit(parts: Parts, { record }: Container, code: number): number {
  const { id, cgroupPath } = record;
  const own = oomKills(cgroupPath);
  const told = parts.oomLedger?.leave(id, cgroupPath, code === KILLED_EXIT_CODE) ?? 0;
  if (own !== undefined) return own;
  return told === 0 && existsSync(join(parts.paths.bundle(id), 'oom')) ? 1 : told;
}

const OOM_PLACES: Record<OomPlace, string> = {
  container: "the container's limit was met",
  pod: "the limit of the pod's cgroup was met",
  node: 'the node, or a cgroup above the pod, had no more',
};

function oomMessage(kills: number, cgroupPath: string): string {
  const what = kills === 1 ? 'a process' : `${kills} processes`;
  const place = oomPlace(cgroupPath);
  const where = place === undefined ? '' : `: ${OOM_PLACES[place]}`;
  return `The kernel ended ${what} of the container for want of memory${where}`;
}

/**
 * The reason the kubelet shows for an exit code that a process ended with. `oom`: the kernel killed in the container
 * for want of memory, and not before a stop that ended it. A first process that fails because a child of it was
 * killed fails for that, as with the peers; one that ends well has lived with it.
 */
export function exitReason(code: number, oom: boolean): string {
  if (code === 0) return 'Completed';
  return oom ? 'OOMKilled' : 'Error';
}
