import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import { sleep } from '../ground/wait.ts';
import { umount } from '../native/mount.ts';
import { processAlive } from '../native/pidfd.ts';
import { thawCgroup } from './cgroup/freeze.ts';
import { killCgroup, removeCgroup } from './cgroup/kill.ts';
import { cgroupsNamed } from './cgroup/orphans.ts';
import { Container, type ContainerRecord } from './container.ts';
import { endUnstarted, recordExit, watchContainer } from './container-exit.ts';
import { CONTAINER_DEBTS, forgetContainer, releaseContainer, releaseRuntime } from './container-release.ts';
import { undoUpdate } from './container-update.ts';
import { ownerOfSnapshot } from './image-volumes.ts';
import type { Parts } from './parts.ts';
import { PAUSE_NAME } from './pause/name.ts';
import { killNamed } from './process-scan.ts';
import { Sandbox, type SandboxRecord } from './sandbox.ts';
import { releaseSandbox, SANDBOX_DEBTS } from './sandbox-release.ts';
import { watchSandbox } from './sandbox-watch.ts';
import { VOLUMES_PROGRAM } from './userns/mapped-volumes.ts';

const UNKNOWN_EXIT_CODE = 255;
/** How long the start waits for ends that are being recorded. A process that hangs is followed in the background. */
const SETTLE_MS = 1_000;

/**
 * Brings records and kernel together after a start. What it builds on:
 *
 * 1. Nothing exists that a record does not name: a record comes before its first side effect, and goes after the last.
 * 2. `creating` was never answered: it is undone, and the retry makes a new one.
 * 3. A monitor needs no daemon: its exit record says how a container ended while nobody watched.
 * 4. After a reboot no process, mount, namespace or cgroup of before exists; pids mean other processes.
 * 5. A record that cannot be read was set aside by the record store; what its files name is swept as an orphan.
 *
 * Resolves when List is right. What is dead is given back afterwards, in the background: `cleaning` settles then.
 */
export function recover(
  parts: Parts,
  rebooted: boolean,
  progress: (step: string) => void = () => {},
): { ready: Promise<void>; cleaning: Promise<void> } {
  const unfinished: Promise<void>[] = [];
  const background: (() => Promise<void>)[] = [];
  const halfSandboxes = loadSandboxes(parts, rebooted);
  const halfContainers = loadContainers(parts, rebooted, unfinished, background);
  background.push(...halfContainers.map((record) => () => undoContainer(parts, record)));
  background.push(...halfSandboxes.map((record) => () => undoSandbox(parts, record)));
  if (rebooted) {
    const lost = parts.images.snapshots.forgetLost();
    if (lost.length > 0) parts.log.info({ snapshots: lost }, 'were removed when the power went');
    background.push(...[...parts.sandboxes.values()].map((sandbox) => () => releaseDead(parts, sandbox)));
  }
  const known = new Set([...halfSandboxes, ...halfContainers].map(({ id }) => id));
  const orphans = findOrphans(parts, known);
  background.push(...orphans.map((id) => () => sweepOrphan(parts, id)));

  const ready = (async () => {
    progress(`Following ${parts.sandboxes.size} pods and ${parts.containers.size} containers`);
    await parts.network.gc(liveNetworks(parts, halfSandboxes), progress);
    const settled = new AbortController();
    await Promise.race([
      Promise.all(unfinished).then(() => settled.abort()),
      sleep(SETTLE_MS, settled.signal).catch(() => {
        // Settled in time.
      }),
    ]);
  })();
  const cleaning = ready.then(async () => {
    for (const step of background) {
      await step().catch((error: unknown) => {
        parts.log.error({ error: messageOf(error) }, 'could not clean up after the last run');
      });
    }
    parts.debts.resume();
  });
  return { ready, cleaning };
}

/** Puts the finished sandboxes into the directory; returns those that were being made. */
function loadSandboxes(parts: Parts, rebooted: boolean): SandboxRecord[] {
  const half: SandboxRecord[] = [];
  for (const { value: record } of parts.sandboxRecords.all()) {
    if (rebooted) delete record.made;
    if (record.phase === 'creating') {
      half.push(record);
      continue;
    }
    const sandbox = new Sandbox(record);
    parts.sandboxes.add(sandbox);
    if (record.phase !== 'ready') continue;
    const maker = parts.handlers.get(record.handler)?.maker;
    if (record.made !== undefined && maker?.alive(record.made) === true) {
      // Its answer may have been lost with the daemon: the repeated call gets it.
      sandbox.adoptable = true;
      watchSandbox(parts, sandbox);
    } else {
      record.phase = 'notready';
      parts.sandboxRecords.put(record.id, record);
    }
  }
  return half;
}

/** Puts the finished containers into the directory and follows the living; returns those that were being made. */
function loadContainers(
  parts: Parts,
  rebooted: boolean,
  unfinished: Promise<void>[],
  background: (() => Promise<void>)[],
): ContainerRecord[] {
  const half: ContainerRecord[] = [];
  for (const { value: record } of parts.containerRecords.all()) {
    if (rebooted) delete record.monitored;
    const sandbox = parts.sandboxes.lookup(record.sandboxId);
    if (record.phase === 'creating' || sandbox === undefined) {
      half.push(record);
      continue;
    }
    const container = new Container(record);
    parts.containers.add(container);
    sandbox.containers.set(record.id, container);
    sandbox.adoptable = false;
    parts.images.hold(record.imageId, record.id);
    if (!container.alive) {
      if (!record.released) background.push(() => releaseRuntime(parts, container));
      continue;
    }
    if (record.checkpointing === true) thaw(parts, record);
    if (!rebooted && record.restore !== undefined && record.monitored === undefined) {
      adoptUnstarted(parts, container);
      continue;
    }
    if (rebooted || record.monitored === undefined) {
      record.message = 'The node was restarted';
      record.reason = 'Unknown';
      recordExit(parts, container, { code: UNKNOWN_EXIT_CODE, atNs: parts.clock.nowNs() });
      continue;
    }
    adoptStarted(parts, container);
    watchContainer(parts, container);
    if (record.update !== undefined) background.push(() => undoUpdate(parts, container));
    const { monitor, init } = record.monitored;
    const lives = processAlive(monitor.pid, monitor.startTime) && processAlive(init.pid, init.startTime);
    if (!lives) unfinished.push(container.exited);
  }
  return half;
}

/**
 * A container that was started by a call whose end the daemon did not see: both runtimes take the fifo away on which
 * a created container waits. The repeated call finds it running and succeeds.
 */
function adoptStarted(parts: Parts, container: Container): void {
  const { record } = container;
  if (record.phase !== 'created') return;
  container.adoptable = true;
  const fifo = parts.handlers.get(record.handler)?.runtime.startFifo(record.id);
  if (fifo === undefined || existsSync(fifo)) return;
  record.phase = 'running';
  record.startedAtNs = record.createdAtNs + 1n;
  parts.containerRecords.put(record.id, record);
}

/** A container from a checkpoint waits for its start. One that was being restored is taken away. */
function adoptUnstarted(parts: Parts, container: Container): void {
  const { record } = container;
  if (record.restore?.begun !== true) {
    container.adoptable = true;
    return;
  }
  record.reason = 'StartError';
  record.message = 'The daemon ended while the container was being restored';
  endUnstarted(parts, container, killNamed(record.id, ourPrograms(parts), parts.exits));
}

/** A checkpoint was being made: the container stood still for it. */
function thaw(parts: Parts, record: ContainerRecord): void {
  thawCgroup(record.cgroupPath);
  delete record.checkpointing;
  parts.containerRecords.put(record.id, record);
}

async function undoContainer(parts: Parts, record: ContainerRecord): Promise<void> {
  await killNamed(record.id, ourPrograms(parts), parts.exits);
  record.released = false;
  await releaseContainer(parts, new Container(record));
  forgetContainer(parts, parts.sandboxes.lookup(record.sandboxId), record.id);
}

async function undoSandbox(parts: Parts, record: SandboxRecord): Promise<void> {
  await killNamed(record.id, ourPrograms(parts), parts.exits);
  await releaseSandbox(parts, record);
  parts.sandboxRecords.delete(record.id);
}

/** After a reboot: files of dead sandboxes, and cgroups if the node kept them. */
async function releaseDead(parts: Parts, sandbox: Sandbox): Promise<void> {
  if (sandbox.record.released) return;
  await releaseSandbox(parts, sandbox.record);
  sandbox.record.released = true;
  parts.sandboxRecords.put(sandbox.id, sandbox.record);
}

/** Sandboxes whose leases, links and rules stay: the ready ones, and those that debts or undos still need. */
function liveNetworks(parts: Parts, half: SandboxRecord[]): Set<string> {
  const live = new Set(half.map(({ id }) => id));
  for (const sandbox of parts.sandboxes.values()) if (sandbox.ready) live.add(sandbox.id);
  for (const { kind, owner } of parts.debts.stored()) if (kind === SANDBOX_DEBTS.network) live.add(owner);
  return live;
}

/** Ids of files that no record names. */
function findOrphans(parts: Parts, known: Set<string>): string[] {
  const { paths } = parts;
  const directories = [
    paths.sandboxes,
    paths.netns,
    paths.pauses,
    paths.mapped,
    paths.containers,
    paths.exits,
    ...ociRoots(parts),
  ];
  for (const directory of directories) mkdirSync(directory, { recursive: true, mode: 0o711 });
  const found = new Set([
    // An exit record that was being written has six letters more.
    ...directories
      .flatMap((directory) => readdirSync(directory))
      .map((name) => name.replace(/^(.{64})\.\w{6}$/, '$1')),
    ...parts.images.snapshots.list().map(ownerOfSnapshot),
  ]);
  return [...found].filter(
    (id) =>
      /^[0-9a-f]{64}$/.test(id) &&
      !known.has(id) &&
      parts.sandboxes.lookup(id) === undefined &&
      parts.containers.lookup(id) === undefined,
  );
}

function ociRoots(parts: Parts): string[] {
  return parts.handlers.list().map(({ name }) => join(parts.paths.oci, name));
}

function ourPrograms(parts: Parts): Set<string> {
  const { conmonPath } = parts.settings;
  return new Set([
    PAUSE_NAME,
    VOLUMES_PROGRAM,
    basename(conmonPath),
    ...parts.handlers.list().map(({ path }) => basename(path)),
  ]);
}

/** Takes away what an id without a record left: processes, runtime records, mounts, files. */
async function sweepOrphan(parts: Parts, id: string): Promise<void> {
  parts.log.warn({ id }, 'sweeping what no record names');
  await killNamed(id, ourPrograms(parts), parts.exits);
  for (const { name } of parts.handlers.list()) {
    if (existsSync(join(parts.paths.oci, name, id)))
      await parts.handlers.get(name)!.runtime.delete(id, { force: true });
  }
  for (const cgroup of cgroupsNamed(id)) {
    await killCgroup(cgroup);
    await removeCgroup(cgroup);
  }
  await parts.debts.payOrOwe(CONTAINER_DEBTS.rootfs, id, {});
  umount(parts.paths.shm(id));
  rmSync(parts.paths.sandbox(id), { recursive: true, force: true });
  rmSync(join(parts.paths.pauses, id), { recursive: true, force: true });
  umount(parts.paths.netnsPin(id));
  rmSync(parts.paths.netnsPin(id), { force: true });
  parts.monitor.forget(id);
}
