import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { Clock } from '../ground/clock.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore } from '../ground/records.ts';
import type { StageSink } from '../ground/stages.ts';
import { waitOrAbort } from '../ground/wait.ts';
import type { Images } from '../image/images.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { bindMount, makePrivate, mounts } from '../native/mount.ts';
import { setSubreaper } from '../native/namespaces.ts';
import { findExecutable } from '../native/spawn.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import { Apparmor } from './apparmor/apparmor.ts';
import { attach } from './attach/attach.ts';
import { nodeHierarchy } from './cgroup/hierarchy.ts';
import { OomLedger } from './cgroup/oom-ledger.ts';
import { Conmon } from './conmon.ts';
import { checkContainerRecord, type Container } from './container.ts';
import { createContainer } from './container-create.ts';
import { registerContainerDebts } from './container-release.ts';
import { removeContainer } from './container-remove.ts';
import { startContainer } from './container-start.ts';
import { stopContainer } from './container-stop.ts';
import { updateContainer } from './container-update.ts';
import { containerView, listContainers } from './container-view.ts';
import { Debts, type DebtRecord } from './debts.ts';
import { Directory } from './directory.ts';
import { exec } from './exec/exec.ts';
import { checkpointContainer } from './checkpoint/checkpoint.ts';
import { CriuProbe } from './checkpoint/criu.ts';
import { EventQueue } from './event-queue.ts';
import { EVENTS_AHEAD } from './events.ts';
import { execSync } from './exec-sync.ts';
import { LogCap } from './log-cap.ts';
import { openHandlers } from './open-handlers.ts';
import { reopenLog } from './log-reopen.ts';
import type { Parts } from './parts.ts';
import { PodPaths } from './paths.ts';
import { connectPort } from './port-connect.ts';
import type { Census, Pods } from './pods.ts';
import { recover } from './recovery.ts';
import { Reservations } from './reservations.ts';
import { checkSandboxRecord, type Sandbox } from './sandbox.ts';
import { registerSandboxDebts } from './sandbox-release.ts';
import { removeSandbox } from './sandbox-remove.ts';
import { runSandbox } from './sandbox-run.ts';
import { stopSandbox } from './sandbox-stop.ts';
import { updateSandbox } from './sandbox-update.ts';
import { listSandboxes, sandboxView } from './sandbox-view.ts';
import { Sessions } from './sessions.ts';
import type { PodSettings } from './settings.ts';
import { DEFAULT_CAPABILITIES } from './spec/capabilities.ts';
import { nodeFacts } from './spec/node-facts.ts';
import { prepareDefaultFilter } from './spec/seccomp/compiled-filter.ts';
import { containerStats, listContainerStats } from './stats/container-stats.ts';
import { metricDescriptors, podMetrics } from './metrics/pod-metrics.ts';
import { listSandboxStats, sandboxStats } from './stats/sandbox-stats.ts';

const REAP_INTERVAL_MS = 1_000;

export interface OpenPodsOptions {
  /** State directory, on a tmpfs on most nodes. */
  state: string;
  settings: PodSettings;
  records: RecordStore;
  exits: ExitWatcher;
  images: Images;
  network: PodNetwork;
  stages: StageSink & { inFlight(): Census['inFlight'] };
  clock: Clock;
  log: Log;
  /** The kernel's boot id: another one than last time means that nothing lives any more. */
  bootId: string;
  /** Hears of each step until List is right. */
  progress?: (step: string) => void;
  /** Of Berth. */
  version: string;
}

/** What of the settings can change while the room works. */
export type LivePodSettings = Pick<
  PodSettings,
  'seccompRoot' | 'cdiDirectories' | 'rlimits' | 'createTimeoutMs' | 'adoptionMs'
>;

/** The room, with what only who opens it needs. */
export interface LivePods extends Pods {
  /** Resolves when List is right. */
  ready: Promise<void>;
  /** Settles when the remains of the earlier run are gone. */
  cleaning: Promise<void>;
  /** Prepares what the first pod would have to wait for: for a moment at which nobody waits for anything else. */
  warmUp(): void;
  /** For pods and containers that are made from now on. */
  reconfigure(settings: LivePodSettings): void;
}

/**
 * Opens the pod room and takes up what an earlier run left. Handlers that are not known yet are tried when something
 * first needs one, which then waits for it.
 */
export function openPods(options: OpenPodsOptions): LivePods {
  const { settings, records, log, clock } = options;
  const paths = new PodPaths(options.state);
  keepMountsPrivate(paths.state);
  // Sockets of an earlier run, which nobody answers.
  rmSync(paths.consoles, { recursive: true, force: true });
  const { sandboxes, netns, pauses, mapped, containers, consoles } = paths;
  for (const dir of [sandboxes, netns, pauses, mapped, containers, consoles])
    mkdirSync(dir, { recursive: true, mode: 0o711 });
  setSubreaper();
  const parts: Parts = {
    settings: { ...settings },
    paths,
    clock,
    log,
    stages: options.stages,
    exits: options.exits,
    images: options.images,
    network: options.network,
    apparmor: new Apparmor(options.exits, log),
    oomLedger:
      settings.cgroupDriver === 'systemd' && nodeHierarchy().version === 2 ? new OomLedger() : undefined,
    criu: new CriuProbe(options.exits),
    monitor: new Conmon({
      path: findExecutable(settings.conmonPath) ?? settings.conmonPath,
      exitsDir: paths.exits,
      exits: options.exits,
      systemdCgroup: settings.cgroupDriver === 'systemd',
    }),
    logCap: new LogCap(settings.maxLogBytes, log),
    handlers: openHandlers({ ...options, paths }),
    debts: new Debts(records.table<DebtRecord>('debts', undefined, { vital: true }), clock, log),
    events: new EventQueue(EVENTS_AHEAD, (dropped) =>
      log.warn({ dropped }, 'a follower of the events reads too slowly and has lost some'),
    ),
    sandboxRecords: records.table('sandboxes', checkSandboxRecord),
    containerRecords: records.table('containers', checkContainerRecord),
    sandboxes: new Directory<Sandbox>('sandbox'),
    containers: new Directory<Container>('container'),
    sessions: new Sessions(),
    sandboxReservations: new Reservations(),
    containerReservations: new Reservations(),
  };
  registerSandboxDebts(parts);
  registerContainerDebts(parts);
  const rebooted = noteBoot(records, options.bootId);
  const { ready, cleaning } = recover(parts, rebooted, options.progress);
  let filter: NodeJS.Immediate | undefined;
  const warmUp = (): void => {
    parts.apparmor.start();
    void parts.handlers.tried();
    filter = setImmediate(prepareFilter);
  };
  const reaper = setInterval(() => options.exits.reapOrphans(), REAP_INTERVAL_MS).unref();
  const end = async (): Promise<void> => {
    clearImmediate(filter);
    await close(parts, reaper);
  };
  const reconfigure = ({
    seccompRoot,
    cdiDirectories,
    rlimits,
    createTimeoutMs,
    adoptionMs,
  }: LivePodSettings): void =>
    void Object.assign(parts.settings, { seccompRoot, cdiDirectories, rlimits, createTimeoutMs, adoptionMs });
  return { ...podsOf(parts, options), ready, cleaning, warmUp, reconfigure, close: end };
}

/** Compiling takes some 20 ms. */
function prepareFilter(): void {
  const { arch, boundingCapabilities } = nodeFacts();
  prepareDefaultFilter(
    arch,
    DEFAULT_CAPABILITIES.filter((name) => boundingCapabilities.includes(name)),
  );
}

/** Mounts below the state directory must not spread to pods that mount the node's root, nor theirs to it. */
function keepMountsPrivate(state: string): void {
  mkdirSync(state, { recursive: true });
  chmodSync(state, 0o711);
  if (!mounts().some(({ target }) => target === state)) bindMount(state, state);
  makePrivate(state);
}

/** Whether the node was booted since the last run. */
function noteBoot(records: RecordStore, bootId: string): boolean {
  const table = records.table<{ bootId: string }>('node');
  const before = table.get('boot')?.bootId;
  if (before !== bootId) table.put('boot', { bootId });
  return before !== undefined && before !== bootId;
}

function podsOf(parts: Parts, options: OpenPodsOptions): Omit<Pods, 'close'> {
  const tried = (signal?: AbortSignal): Promise<void> => waitOrAbort(parts.handlers.tried(), signal);
  return {
    runSandbox: async (config, handler, signal) => {
      await tried(signal);
      return runSandbox(parts, config, handler, signal);
    },
    stopSandbox: (id, signal) => stopSandbox(parts, id, signal),
    removeSandbox: (id, signal) => removeSandbox(parts, id, signal),
    sandbox: (id) => sandboxView(parts, parts.sandboxes.find(id)),
    listSandboxes: (filter = { labels: {} }) => listSandboxes(parts, filter),
    createContainer: async (sandboxId, config, sandboxConfig, signal) => {
      await tried(signal);
      return createContainer(parts, sandboxId, config, sandboxConfig, signal);
    },
    startContainer: async (id, signal) => {
      await tried(signal);
      return startContainer(parts, id, signal);
    },
    stopContainer: (id, graceSeconds, signal) => stopContainer(parts, id, graceSeconds, signal),
    removeContainer: (id, signal) => removeContainer(parts, id, signal),
    container: (id) => containerView(parts, parts.containers.find(id)),
    listContainers: (filter = { labels: {} }) => listContainers(parts, filter),
    execSync: async (id, command, timeout, signal) => {
      await tried(signal);
      return execSync(parts, id, command, timeout, signal);
    },
    exec: async (id, request, signal) => {
      await tried(signal);
      return exec(parts, id, request, signal);
    },
    attach: async (id, request, signal) => {
      signal?.throwIfAborted();
      return attach(parts, id, request);
    },
    connect: (id, port, signal) => connectPort(parts, id, port, signal),
    reopenLog: (id, signal) => reopenLog(parts, id, signal),
    updateContainer: async (id, resources, annotations, signal) => {
      await tried(signal);
      return updateContainer(parts, id, resources, annotations, signal);
    },
    checkpointContainer: async (id, location, timeout, signal) => {
      await tried(signal);
      return checkpointContainer(parts, id, location, timeout, signal);
    },
    updateSandbox: (id, update) => updateSandbox(parts, id, update),
    containerStats: (id) => containerStats(parts, parts.containers.find(id)),
    listContainerStats: (filter = { labels: {} }) => listContainerStats(parts, filter),
    sandboxStats: async (id) => sandboxStats(parts, parts.sandboxes.find(id)),
    metricDescriptors,
    podMetrics: () => podMetrics(parts),
    listSandboxStats: (filter = { labels: {} }) => listSandboxStats(parts, filter),
    events: (signal) => parts.events.subscribe(signal),
    handlers: () => parts.handlers.list(),
    handlersTried: tried,
    cgroupDriver: () => parts.settings.cgroupDriver,
    census: () => census(parts, options),
  };
}

function census(parts: Parts, options: OpenPodsOptions): Census {
  const sandboxes = { ready: 0, notready: 0 };
  for (const sandbox of parts.sandboxes.values()) sandboxes[sandbox.ready ? 'ready' : 'notready']++;
  const containers = { created: 0, running: 0, exited: 0, unknown: 0 };
  for (const container of parts.containers.values()) containers[container.state]++;
  return {
    sandboxes,
    containers,
    inFlight: options.stages.inFlight(),
    debts: parts.debts.open.map(({ owner, kind, sinceNs, tries, lastError }) => ({
      id: owner,
      kind,
      since: new Date(Number(sinceNs / 1_000_000n)).toISOString(),
      tries,
      lastError,
    })),
    quarantined: options.records.quarantined,
    children: parts.exits.watching,
    security: {
      apparmor: parts.apparmor.status(),
      selinux: nodeFacts().selinux,
      seccomp: nodeFacts().seccomp,
    },
    logCuts: parts.logCap.cuts,
    events: { subscribers: parts.events.subscribers, dropped: parts.events.dropped },
  };
}

async function close(parts: Parts, reaper: NodeJS.Timeout): Promise<void> {
  await parts.sessions.close();
  for (const container of parts.containers.values()) container.hub?.close();
  clearInterval(reaper);
  parts.logCap.close();
  parts.debts.close();
  await parts.handlers.close();
  const makers = new Set(parts.handlers.list().map(({ name }) => parts.handlers.get(name)!.maker));
  await Promise.all([...makers].map((maker) => maker.close()));
}
