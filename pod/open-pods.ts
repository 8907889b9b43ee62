import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import type { Clock } from '../ground/clock.ts';
import { Limit } from '../ground/limit.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore } from '../ground/records.ts';
import type { StageSink } from '../ground/stages.ts';
import type { Images } from '../image/images.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { bindMount, makePrivate, mounts } from '../native/mount.ts';
import { setSubreaper } from '../native/namespaces.ts';
import { findExecutable } from '../native/spawn.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import { attach } from './attach/attach.ts';
import { createPodCgroup, removePodCgroup } from './cgroup/pod-cgroup.ts';
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
import { probeRuntime } from './handler-probe.ts';
import { Handlers, type Handler } from './handlers.ts';
import { LogCuts } from './log-cuts.ts';
import { reopenLog } from './log-reopen.ts';
import { OciDriver } from './oci-driver.ts';
import type { Parts } from './parts.ts';
import { PodPaths } from './paths.ts';
import { connectPort } from './port-connect.ts';
import type { Census, Pods } from './pods.ts';
import { recover } from './recovery.ts';
import { Reservations } from './reservations.ts';
import { checkSandboxRecord, type Sandbox } from './sandbox.ts';
import { InprocessSandboxMaker } from './sandbox-maker-inprocess.ts';
import { OciSandboxMaker } from './sandbox-maker-oci.ts';
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
import { openProbeUserns } from './userns/probe.ts';

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
}

/**
 * Opens the pod room: probes the handlers, takes up what an earlier run left, and resolves when List is right.
 * `cleaning` of the result settles when the remains of the earlier run are gone.
 */
export async function openPods(options: OpenPodsOptions): Promise<Pods & { cleaning: Promise<void> }> {
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
    settings,
    paths,
    clock,
    log,
    stages: options.stages,
    exits: options.exits,
    images: options.images,
    network: options.network,
    criu: new CriuProbe(options.exits),
    monitor: new Conmon({
      path: findExecutable(settings.conmonPath) ?? settings.conmonPath,
      exitsDir: paths.exits,
      exits: options.exits,
      systemdCgroup: settings.cgroupDriver === 'systemd',
      maxLogBytes: settings.maxLogBytes,
    }),
    logCuts: new LogCuts(log),
    handlers: await openHandlers(options, paths),
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
  if (settings.maxLogBytes > 0) parts.logCuts.open(paths.state);
  registerSandboxDebts(parts);
  registerContainerDebts(parts);
  const rebooted = noteBoot(records, options.bootId);
  const { ready, cleaning } = recover(parts, rebooted, options.progress);
  await ready;
  setImmediate(prepareFilter);
  const reaper = setInterval(() => options.exits.reapOrphans(), REAP_INTERVAL_MS);
  reaper.unref();
  return { ...podsOf(parts, options), cleaning, close: () => close(parts, reaper) };
}

/** Compiling takes some 20 ms: here nobody waits for it yet. */
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

async function openHandlers(options: OpenPodsOptions, paths: PodPaths): Promise<Handlers> {
  const { settings, exits, log } = options;
  const limit = new Limit(Math.max(settings.maxRuntimeChildren, availableParallelism()));
  const inprocess = await InprocessSandboxMaker.start({ exits });
  // Made here once, so that the probes do not take it away from each other.
  const cgroup = createPodCgroup(settings.cgroupParent);
  using probe = await openProbeUserns(exits, paths.state, options.images);
  const handlers = await Promise.all(
    Object.entries(settings.handlers).map(async ([name, { path, sandbox, exec }]): Promise<Handler> => {
      const runtime = new OciDriver({
        name,
        path: findExecutable(path) ?? path,
        root: join(paths.oci, name),
        systemdCgroup: settings.cgroupDriver === 'systemd',
        exits,
        limit,
      });
      const { cgroupDriver, cgroupParent } = settings;
      const { userns } = probe;
      const scratch = paths.state;
      const found = await probeRuntime(runtime, { exits, scratch, cgroupDriver, cgroupParent, userns });
      const maker =
        sandbox === 'inprocess'
          ? inprocess
          : new OciSandboxMaker({
              runtime,
              exits,
              state: paths.pauses,
              cgroupDriver,
            });
      const status = { name, path: runtime.path, isDefault: false, ...found };
      return { status, runtime, maker, exec: exec === 'auto' ? usualExec(runtime.path) : exec };
    }),
  );
  await removePodCgroup(cgroup);
  return new Handlers(handlers, chooseDefault(handlers, settings, log));
}

/** Other runtimes may put something else around a container than namespaces and cgroups: a virtual machine. */
function usualExec(path: string): 'inprocess' | 'oci' {
  return ['crun', 'runc'].includes(basename(path)) ? 'inprocess' : 'oci';
}

/** The configured default when it works or was named on purpose; else the first that works. */
function chooseDefault(handlers: Handler[], settings: PodSettings, log: Log): string {
  const wanted = handlers.find(({ status }) => status.name === settings.defaultHandler);
  const chosen =
    wanted?.status.usable === true || settings.defaultHandlerNamed
      ? wanted
      : (handlers.find(({ status }) => status.usable) ?? wanted);
  for (const { status } of handlers) {
    if (!status.usable)
      log.warn({ handler: status.name, reason: status.reason }, 'handler cannot be used on this host');
  }
  if (chosen !== undefined && chosen !== wanted) {
    log.warn(
      { handler: chosen.status.name, instead: settings.defaultHandler },
      'taking another default handler',
    );
  }
  if (chosen !== undefined) chosen.status.isDefault = true;
  return chosen?.status.name ?? settings.defaultHandler;
}

function podsOf(parts: Parts, options: OpenPodsOptions): Omit<Pods, 'close'> {
  return {
    runSandbox: (config, handler, signal) => runSandbox(parts, config, handler, signal),
    stopSandbox: (id, signal) => stopSandbox(parts, id, signal),
    removeSandbox: (id, signal) => removeSandbox(parts, id, signal),
    sandbox: (id) => sandboxView(parts, parts.sandboxes.find(id)),
    listSandboxes: (filter = { labels: {} }) => listSandboxes(parts, filter),
    createContainer: (sandboxId, config, sandboxConfig, signal) =>
      createContainer(parts, sandboxId, config, sandboxConfig, signal),
    startContainer: (id, signal) => startContainer(parts, id, signal),
    stopContainer: (id, graceSeconds, signal) => stopContainer(parts, id, graceSeconds, signal),
    removeContainer: (id, signal) => removeContainer(parts, id, signal),
    container: (id) => containerView(parts, parts.containers.find(id)),
    listContainers: (filter = { labels: {} }) => listContainers(parts, filter),
    execSync: (id, command, timeout, signal) => execSync(parts, id, command, timeout, signal),
    exec: (id, request, signal) => exec(parts, id, request, signal),
    attach: async (id, request, signal) => {
      signal?.throwIfAborted();
      return attach(parts, id, request);
    },
    connect: (id, port, signal) => connectPort(parts, id, port, signal),
    reopenLog: (id, signal) => reopenLog(parts, id, signal),
    updateContainer: (id, resources, annotations, signal) =>
      updateContainer(parts, id, resources, annotations, signal),
    checkpointContainer: (id, location, timeout, signal) =>
      checkpointContainer(parts, id, location, timeout, signal),
    updateSandbox: (id, update) => updateSandbox(parts, id, update),
    containerStats: (id) => containerStats(parts, parts.containers.find(id)),
    listContainerStats: (filter = { labels: {} }) => listContainerStats(parts, filter),
    sandboxStats: async (id) => sandboxStats(parts, parts.sandboxes.find(id)),
    metricDescriptors,
    podMetrics: () => podMetrics(parts),
    listSandboxStats: (filter = { labels: {} }) => listSandboxStats(parts, filter),
    events: (signal) => parts.events.subscribe(signal),
    handlers: () => parts.handlers.list(),
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
    logCuts: parts.logCuts.total,
    events: { subscribers: parts.events.subscribers, dropped: parts.events.dropped },
  };
}

async function close(parts: Parts, reaper: NodeJS.Timeout): Promise<void> {
  await parts.sessions.close();
  for (const container of parts.containers.values()) container.hub?.close();
  clearInterval(reaper);
  parts.logCuts.close();
  parts.debts.close();
  const makers = new Set(parts.handlers.list().map(({ name }) => parts.handlers.get(name)!.maker));
  await Promise.all([...makers].map((maker) => maker.close()));
}
