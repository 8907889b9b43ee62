import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import { inStages, type Progress } from '../ground/progress.ts';
import { nodeHierarchy } from './cgroup/hierarchy.ts';
import { isScope } from './cgroup/scope.ts';
import { limitWrites, type CgroupWrite, type Limits } from './cgroup/limits.ts';
import { restore, valuesBefore, writeAll } from './cgroup/write.ts';
import type { LinuxResources } from './config.ts';
import type { Container } from './container.ts';
import { setCommandCpus } from './exec/command-cgroup.ts';
import { changeOomScore } from './oom-score.ts';
import type { Parts } from './parts.ts';
import { mergedResources, touchedLimits } from './resources.ts';
import { resourcesInForce, resourcesOf } from './spec/linux-resources.ts';
import { nodeFacts } from './spec/node-facts.ts';
import type { OciSpec } from './spec/oci-spec.ts';

/**
 * UpdateContainerResources: changes what a created or running container may use, all of it or nothing. Zero and empty
 * mean "not specified": what was there stays. Annotations are kept beside those of the container, which the CRI wants
 * unchanged in its status.
 *
 * The cgroup's files are written by the daemon itself: in an order in which the kernel allows each step, with what was
 * there at hand to undo it, and without a child (15 to 60 ms). The OCI runtime does it where more than files is
 * concerned: where the cgroup is a systemd scope, since systemd would write its own values again at its next reload,
 * and for handlers whose containers are not just processes in cgroups.
 *
 * Throws `precondition` for a container that has ended and for a limit that cannot be met just now, `invalid` for one
 * that cannot be met at all.
 */
export async function updateContainer(
  parts: Parts,
  id: string,
  update: LinuxResources | undefined,
  annotations: Record<string, string>,
  signal?: AbortSignal,
): Promise<void> {
  const container = parts.containers.find(id);
  await container.updates.run(
    () =>
      inStages(parts.stages, 'UpdateContainerResources', container.id, container.subject, (at) =>
        change(parts, at, container, update, annotations, signal),
      ),
    signal,
  );
}

async function change(
  parts: Parts,
  at: Progress,
  container: Container,
  update: LinuxResources | undefined,
  annotations: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { record } = container;
  const plan = await at.stage('record', async () => {
    requireAlive(container);
    const made = await planUpdate(container, update);
    record.update = { before: made.before };
    parts.containerRecords.put(record.id, record);
    return made;
  });
  try {
    await at.stage('update', () => apply(parts, container, plan, signal));
    await at.stage('commit', () => commit(parts, container, plan, annotations));
  } catch (error) {
    delete record.update;
    parts.containerRecords.put(record.id, record);
    throw error;
  }
}

interface Plan {
  limits: Limits;
  writes: CgroupWrite[];
  before: CgroupWrite[];
  resources: LinuxResources | undefined;
  notes: string[];
}

async function planUpdate(container: Container, update: LinuxResources | undefined): Promise<Plan> {
  const { record } = container;
  if (update === undefined)
    return { limits: {}, writes: [], before: [], resources: record.resources, notes: [] };
  const node = nodeFacts();
  const notes: string[] = [];
  const merged = mergedResources(record.resources, update);
  const limits = touchedLimits(resourcesOf(merged, node, notes), update);
  const resources = resourcesInForce(merged, node);
  if (resources.oomScoreAdj !== merged.oomScoreAdj)
    notes.push(
      `oom_score_adj ${merged.oomScoreAdj} raised to ${resources.oomScoreAdj}: the daemon may not go lower`,
    );
  const writes = limitWrites(record.cgroupPath, limits, nodeHierarchy());
  return { limits, writes, before: await valuesBefore(writes), resources, notes };
}

async function apply(
  parts: Parts,
  container: Container,
  { limits, writes, before, resources }: Plan,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { record } = container;
  try {
    setCommandCpus(record.cgroupPath, limits.cpu ?? {});
    if (updatesByRuntime(parts, container)) await byRuntime(parts, container, limits, before, signal);
    else await writeAll(writes, before, signal);
    setCommandCpus(record.cgroupPath, limits.cpu ?? {});
    const [from, to] = [record.resources?.oomScoreAdj ?? 0, resources?.oomScoreAdj ?? 0];
    try {
      if (from !== to) changeOomScore(record.cgroupPath, from, to);
    } catch (error) {
      changeOomScore(record.cgroupPath, to, from);
      await undo(parts, container, limits, before);
      throw error;
    }
  } catch (error) {
    requireAlive(container);
    throw error;
  }
}

/** Whether the OCI runtime has to make the change: see `updateContainer`. */
function updatesByRuntime(parts: Parts, container: Container): boolean {
  const handler = parts.handlers.pick(container.record.handler);
  return isScope(container.record.cgroupPath) || handler.exec === 'oci';
}

async function byRuntime(
  parts: Parts,
  container: Container,
  limits: Limits,
  before: CgroupWrite[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (Object.keys(limits).length === 0) return;
  const { runtime } = parts.handlers.pick(container.record.handler);
  try {
    const { theirs, ours } = shared(limits, isScope(container.record.cgroupPath));
    if (Object.keys(theirs).length > 0) await runtime.update(container.id, theirs, signal);
    const { cgroupPath } = container.record;
    if (ours !== undefined) await writeAll(limitWrites(cgroupPath, ours, nodeHierarchy()), [], signal);
  } catch (error) {
    await undo(parts, container, limits, before);
    throw new Fault('invalid', messageOf(error));
  }
}

/** crun cannot take a quota away (1.8.1 writes -1 as an unsigned number): the daemon does, where no systemd stands in between. */
function shared(limits: Limits, systemds: boolean): { theirs: Limits; ours?: Limits } {
  const { cpu, ...rest } = limits;
  if (cpu?.quota !== -1 || systemds) return { theirs: limits };
  const { quota, ...more } = cpu;
  const theirs = Object.keys(more).length > 0 ? { ...rest, cpu: more } : rest;
  return { theirs, ours: { cpu: { quota } } };
}

/** Brings back what was there. systemd is told of the old limits too, as far as there were any. */
async function undo(
  parts: Parts,
  container: Container,
  limits: Limits,
  before: CgroupWrite[],
): Promise<void> {
  const { record } = container;
  if (updatesByRuntime(parts, container) && record.resources !== undefined) {
    const old = resourcesOf(record.resources, nodeFacts(), []);
    const asBefore = Object.fromEntries(Object.entries(old).filter(([kind]) => kind in limits));
    await parts.handlers
      .pick(record.handler)
      .runtime.update(record.id, asBefore)
      .catch((error: unknown) => {
        parts.log.warn({ container: record.id, error: messageOf(error) }, 'could not undo an update');
      });
  }
  await restore(before);
}

async function commit(
  parts: Parts,
  container: Container,
  plan: Plan,
  annotations: Record<string, string>,
): Promise<void> {
  const { record } = container;
  const { resources, updateAnnotations, notes } = record;
  const specification = changeSpecification(parts, container, plan);
  try {
    if (plan.resources !== undefined) record.resources = plan.resources;
    if (Object.keys(annotations).length > 0)
      record.updateAnnotations = { ...updateAnnotations, ...annotations };
    record.notes = [...new Set([...notes, ...plan.notes])];
    delete record.update;
    parts.containerRecords.put(record.id, record);
  } catch (error) {
    specification.undo();
    Object.assign(record, { resources, updateAnnotations, notes });
    const [from, to] = [plan.resources?.oomScoreAdj ?? 0, resources?.oomScoreAdj ?? 0];
    if (from !== to) changeOomScore(record.cgroupPath, from, to);
    await undo(parts, container, plan.limits, plan.before);
    throw error;
  }
}

/** Commands that join later are made from the bundle's specification: it has to say what is in force. */
function changeSpecification(parts: Parts, container: Container, plan: Plan): { undo(): void } {
  if (plan.resources === undefined) return { undo() {} };
  const file = join(parts.paths.bundle(container.id), 'config.json');
  const text = readFileSync(file, 'utf8');
  const spec = JSON.parse(text) as OciSpec;
  const { limits } = plan;
  const { resources } = spec.linux;
  for (const kind of ['cpu', 'memory', 'unified'] as const)
    if (limits[kind] !== undefined) Object.assign((resources[kind] ??= {}), limits[kind]);
  const all = resourcesOf(plan.resources, nodeFacts(), []).hugepageLimits;
  if (all !== undefined) resources.hugepageLimits = all;
  spec.process.oomScoreAdj = plan.resources.oomScoreAdj;
  const write = (content: string): void => {
    writeFileSync(`${file}.new`, content, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    container.template = undefined;
  };
  write(JSON.stringify(spec));
  return { undo: () => write(text) };
}

function requireAlive(container: Container): void {
  if (container.alive && container.removing === undefined) return;
  throw new Fault('precondition', `It is ${container.state}: only what lives can get other resources`);
}

/** An update that a crash has interrupted is undone: its caller never heard that it was made. */
export async function undoUpdate(parts: Parts, container: Container): Promise<void> {
  const { record } = container;
  const { update } = record;
  if (update === undefined) return;
  await container.updates.run(async () => {
    if (container.alive) await restore(update.before);
    delete record.update;
    parts.containerRecords.put(record.id, record);
  });
}
