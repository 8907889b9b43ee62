import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import { inStages, type Progress } from '../ground/progress.ts';
import { inTime } from '../ground/wait.ts';
import type { ImageRecord } from '../image/images.ts';
import { beginMonitor, makeMonitorDirectories } from './begin-monitor.ts';
import { warmCgroupLock } from './cgroup/lock-warmth.ts';
import { containerCgroup } from './cgroup/paths.ts';
import { placeOfContainer } from './cgroup/scope.ts';
import { withoutScopeTasksMax } from './cgroup/scope-tasks.ts';
import type { Checkpoint } from './checkpoint/restore.ts';
import type { ContainerConfig, SandboxConfig } from './config.ts';
import { Container, containerName, type ContainerRecord } from './container.ts';
import { watchContainer } from './container-exit.ts';
import { forgetContainer, releaseContainer } from './container-release.ts';
import { removeContainer } from './container-remove.ts';
import { makeAnonymousVolumes } from './anonymous-volumes.ts';
import { newId, shortId } from './directory.ts';
import { announceContainer } from './events.ts';
import type { Handler } from './handlers.ts';
import { hasImageVolumes, mountImageVolumes } from './image-volumes.ts';
import { removeEmptyLog, resolveLogPath } from './log-path.ts';
import { missingProgram } from './missing-program.ts';
import type { MonitorStart } from './monitor.ts';
import { missingMountSource, resolveMountSources } from './mount-sources.ts';
import { checkContainerNamespaces } from './namespace-rules.ts';
import type { Parts } from './parts.ts';
import { podRoot, podUserns, requireReady, type Sandbox } from './sandbox.ts';
import { cgroupParent } from './sandbox-release.ts';
import { prepareSpec } from './spec-input.ts';
import { checkLabelsKnown, labelTrees, relabelMounts, selinuxInput } from './selinux.ts';
import { generateSpec } from './spec/generate.ts';
import { resourcesInForce } from './spec/linux-resources.ts';
import { selinuxOf } from './spec/security-profiles.ts';
import { withCompiledFilter } from './spec/seccomp/compiled-filter.ts';
import { resolveStopSignal, signalName } from './signals.ts';
import { targetProcess } from './target.ts';
import { withMappedVolumes } from './userns/container-volumes.ts';
import { releaseMappedVolumes } from './userns/mapped-volumes.ts';
import { ownOutput } from './userns/own-output.ts';
import { openPodUserns } from './userns/pod-namespace.ts';

/**
 * CreateContainer: a container in a ready sandbox, created by the OCI runtime and held by its monitor, not yet
 * started. A second call with the same name and attempt joins the running one.
 * Throws `not-found` for an unknown sandbox or image, `precondition` when the sandbox is not ready, `invalid` for a
 * configuration that cannot be served, `exists` for a taken name.
 */
export async function createContainer(
  parts: Parts,
  sandboxId: string,
  config: ContainerConfig,
  _sandboxConfig: SandboxConfig | undefined,
  signal?: AbortSignal,
): Promise<string> {
  const sandbox = parts.sandboxes.find(sandboxId);
  requireReady(sandbox);
  checkContainerNamespaces(sandbox.record.config, config);
  requireTarget(parts, sandbox, config);
  sandbox.adoptable = false;
  const handler = parts.handlers.pick(sandbox.record.handler);
  const name = containerName(sandbox.id, config);
  return parts.containerReservations.create(
    name,
    () => {
      const holder = [...sandbox.containers.values()].find((container) => container.name === name);
      if (holder === undefined) return undefined;
      const { adoptable } = holder;
      holder.adoptable = false;
      return { id: holder.id, adoptable };
    },
    () =>
      inTime(parts.settings.createTimeoutMs, (limit) =>
        makeContainer(parts, sandbox, handler, config, limit),
      ),
    (id) => keepForAdoption(parts, id),
    signal,
  );
}

async function makeContainer(
  parts: Parts,
  sandbox: Sandbox,
  handler: Handler,
  config: ContainerConfig,
  signal: AbortSignal,
): Promise<string> {
  // The OCI runtime moves a process soon: the kernel's lock for that warms up meanwhile.
  void warmCgroupLock();
  const id = newId();
  const record: ContainerRecord = {
    id,
    sandboxId: sandbox.id,
    handler: handler.status.name,
    config,
    phase: 'creating',
    imageId: '',
    imageRef: '',
    logPath: resolveLogPath(sandbox.record.config.logDirectory, config.logPath),
    cgroupPath: containerCgroup(parts.settings.cgroupDriver, cgroupParent(parts, sandbox.record.config), id),
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: 0,
    stopSignalName: '',
    resources: config.resources,
    notes: [],
    createdAtNs: parts.clock.nowNs(),
    startedAtNs: 0n,
    finishedAtNs: 0n,
    exitCode: 0,
    reason: '',
    message: '',
    // Nothing is given to the OCI runtime before the create stage.
    released: true,
  };
  const container = new Container(record);
  const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
  const abort = new AbortController();
  container.creating = { abort, settled };
  return inStages(parts.stages, 'CreateContainer', id, container.subject, async (at) => {
    await at.stage('reserve', () => {
      parts.containers.add(container);
      sandbox.containers.set(id, container);
    });
    let monitor: MonitorStart | undefined;
    try {
      monitor = await at.stage('record', () => {
        parts.containerRecords.put(id, record);
        makeMonitorDirectories(parts, record);
        // It starts while root and specification are prepared.
        return isCheckpoint(parts, config) ? undefined : beginMonitor(parts, handler, record);
      });
      const either = AbortSignal.any([signal, abort.signal]);
      await buildContainer(parts, at, sandbox, handler, container, monitor, either);
    } catch (error) {
      await monitor?.abandon();
      if (monitor !== undefined) removeEmptyLog(record.logPath);
      parts.log.warn({ container: id, error: messageOf(error) }, 'container could not be made');
      await releaseContainer(parts, container);
      forgetContainer(parts, sandbox, id);
      throw error;
    } finally {
      container.creating = undefined;
      settle();
    }
    watchContainer(parts, container);
    return id;
  });
}

async function buildContainer(
  parts: Parts,
  at: Progress,
  sandbox: Sandbox,
  handler: Handler,
  container: Container,
  monitor: MonitorStart | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { record } = container;
  const { id, config } = record;
  const bundle = parts.paths.bundle(id);
  const { image, checkpoint } = await at.stage<Source>('resolve', () =>
    monitor === undefined
      ? resolveCheckpoint(parts, sandbox, handler, record, signal)
      : { image: resolveImage(parts, record, config.image.image) },
  );
  // Its child looks at the sources while the root is made.
  const sources = resolveMountSources(parts.exits, config, signal);
  sources.catch(() => {
    // The spec stage tells of it.
  });
  const labels = selinuxOf(
    { sandbox: sandbox.record.config, container: config, selinux: selinuxInput(sandbox) },
    [],
  );
  checkLabelsKnown(Object.values(labels ?? {}).filter((label) => label !== undefined));
  const label = labels?.file;
  const volumes = await at.stage('snapshot', async () => {
    using userns = openPodUserns(sandbox);
    parts.images.snapshots.prepare(id, image.layers, podUserns(sandbox.record.config));
    await checkpoint?.lay(parts, sandbox, record, signal);
    parts.images.snapshots.mount(id, parts.paths.rootfs(id), userns?.fd, label);
    const imageVolumes = hasImageVolumes(config)
      ? mountImageVolumes(parts, record, userns?.fd, label)
      : new Map<string, string>();
    const owner = podRoot(sandbox.record.config);
    const anonymousVolumes = await makeAnonymousVolumes(parts, record, image.config, owner, signal);
    // A bind of a directory has no label of its own, as the root's overlay and the images' have.
    const own = anonymousVolumes.map(({ source }) => source);
    if (label !== undefined) await labelTrees(parts.exits, own, label, signal);
    return { imageVolumes, anonymousVolumes };
  });
  await at.stage('spec', async () => {
    const stop = resolveStopSignal(config.stopSignal, image.config.stopSignal);
    record.stopSignal = stop;
    record.stopSignalName = signalName(stop);
    const mountSources = await sources;
    const mapped = await withMappedVolumes(parts, sandbox, record, mountSources, signal);
    const wanted = checkpoint?.config(mapped) ?? mapped;
    const input = await prepareSpec(parts, sandbox, record, image, { mountSources, ...volumes }, wanted);
    const generated = generateSpec(input);
    const spec = checkpoint?.spec(generated.spec, bundle, record.cgroupPath) ?? generated.spec;
    if (label !== undefined) await relabelMounts(parts.exits, config, mountSources, label, signal);
    record.user = {
      uid: input.user.uid,
      gid: input.user.gid,
      supplementalGroups: spec.process.user.additionalGids ?? [],
    };
    record.notes = generated.notes;
    record.hooks = spec.hooks !== undefined;
    if (config.resources !== undefined) record.resources = resourcesInForce(config.resources, input.node);
    const crun = handler.runtime.takesCompiledFilter;
    const placed = parts.settings.cgroupDriver === 'systemd' ? withoutScopeTasksMax(spec, crun) : spec;
    const final = crun ? withCompiledFilter(placed) : placed;
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(final), { mode: 0o600 });
  });
  await at.stage('create', async () => {
    requireReady(sandbox);
    // A process that is restored begins to run at once: StartContainer makes it.
    if (monitor === undefined) return;
    record.released = false;
    try {
      record.monitored = await monitor.create(signal);
    } catch (error) {
      throw missingMountSource(config, error) ?? missingProgram(error) ?? error;
    } finally {
      // The container has them in its own namespace.
      releaseMappedVolumes(parts.paths.mappedVolumes(id));
    }
    record.cgroupPath = placeOfContainer(record.cgroupPath, record.monitored.init.pid);
    requireTarget(parts, sandbox, config);
    const userns = podUserns(sandbox.record.config);
    if (userns !== undefined) ownOutput(record.monitored.init.pid, userns, record.user);
  });
  await at.stage('commit', () => {
    requireReady(sandbox);
    record.phase = 'created';
    parts.containerRecords.put(id, record);
    announceContainer(parts, container, 'created');
  });
}

/** Looked at before the create and after it: in between another process could have got the pid of one that ended. */
function requireTarget(parts: Parts, sandbox: Sandbox, { security }: ContainerConfig): void {
  const { pid, targetId } = security.namespaces;
  if (pid === 'target') targetProcess(parts, sandbox, targetId);
}

/** What the peers' documents have their users put on images into which they copy a checkpoint. */
const CHECKPOINT_ANNOTATION =
  /"(?:org\.criu\.checkpoint\.container\.name|io\.kubernetes\.cri-o\.annotations\.checkpoint\.name)"\s*:/;

/** What the peers take for a checkpoint: a path, with which no reference of an image begins, or an image with a mark. */
function isCheckpoint(parts: Parts, { image: { image } }: ContainerConfig): boolean {
  if (image.startsWith('/')) return true;
  const found = lookUpImage(parts, image);
  // It has nothing to run by itself.
  if (found === undefined || found.config.entrypoint.length + found.config.cmd.length > 0) return false;
  return CHECKPOINT_ANNOTATION.test(parts.images.inspect(found.id).manifest);
}

function lookUpImage(parts: Parts, reference: string): ImageRecord | undefined {
  try {
    return parts.images.find(reference);
  } catch (error) {
    if (error instanceof Fault) return undefined; // The resolve stage tells of it.
    throw error;
  }
}

/** What a container's root file system is made from. */
interface Source {
  image: ImageRecord;
  checkpoint?: Checkpoint;
}

/** Reads the archive, and takes the image that its container was made from. */
async function resolveCheckpoint(
  parts: Parts,
  sandbox: Sandbox,
  handler: Handler,
  record: ContainerRecord,
  signal: AbortSignal,
): Promise<Source> {
  // Code that few nodes ever need.
  const { openCheckpoint } = await import('./checkpoint/restore.ts');
  const checkpoint = await openCheckpoint(parts, sandbox, handler, record.config.image.image, signal);
  return { image: resolveImage(parts, record, checkpoint.base), checkpoint };
}

function resolveImage(parts: Parts, record: ContainerRecord, wanted: string): ImageRecord {
  const image = parts.images.find(wanted);
  if (image === undefined) {
    throw new Fault('not-found', `The image ${JSON.stringify(wanted)} is not on this node`, {
      hint: 'pull it first',
    });
  }
  parts.images.hold(image.id, record.id);
  record.imageId = image.id;
  record.imageRef = image.repoDigests[0] ?? image.id;
  return image;
}

/** Nobody waited for this container: the retry of the call gets it, or it goes away untouched. */
function keepForAdoption(parts: Parts, id: string): void {
  const container = parts.containers.lookup(id);
  if (container === undefined) return;
  container.adoptable = true;
  const timer = setTimeout(() => {
    if (!container.adoptable || container.record.phase !== 'created') return;
    parts.log.info({ container: shortId(id) }, 'nobody asked again for this container: removing it');
    removeContainer(parts, id).catch((error: unknown) => {
      parts.log.warn({ container: id, error: messageOf(error) }, 'could not remove the container');
    });
  }, parts.settings.adoptionMs);
  timer.unref();
}
