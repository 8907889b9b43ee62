import type { Container } from './container.ts';
import type { Parts } from './parts.ts';
import type { ContainerFilter, ContainerView } from './pods.ts';
import { hasLabels } from './sandbox-view.ts';

/** A container as the caller sees it: a live view on its record, made without any wait. */
export function containerView(parts: Parts, container: Container): ContainerView {
  const { record } = container;
  return {
    id: record.id,
    sandboxId: record.sandboxId,
    config: record.config,
    state: container.state,
    createdAtNs: record.createdAtNs,
    startedAtNs: record.startedAtNs,
    finishedAtNs: record.finishedAtNs,
    exitCode: record.exitCode,
    reason: record.reason,
    message: record.message,
    imageId: record.imageId,
    imageRef: record.imageRef,
    logPath: record.logPath,
    user: record.user,
    resources: record.resources,
    stopSignal: record.stopSignalName,
    info: () => ({
      pid: record.monitored?.init.pid ?? 0,
      monitorPid: record.monitored?.monitor.pid ?? 0,
      handler: record.handler,
      bundle: parts.paths.bundle(record.id),
      cgroup: record.cgroupPath,
      updateAnnotations: record.updateAnnotations ?? {},
      notes: record.notes,
      restoredFrom: record.restore?.from ?? '',
      execs: container.execs,
      logCuts: container.logCuts,
      debts: parts.debts.open.filter(({ owner }) => owner === record.id),
    }),
  };
}

/** The containers that fit all parts of the filter. One that is still being made is not listed. */
export function listContainers(parts: Parts, filter: ContainerFilter): ContainerView[] {
  return candidates(parts, filter)
    .filter((container) => container.record.phase !== 'creating')
    .map((container) => containerView(parts, container))
    .filter((view) => filter.state === undefined || view.state === filter.state)
    .filter((view) => hasLabels(view.config.labels, filter.labels));
}

function candidates(parts: Parts, filter: ContainerFilter): Container[] {
  const sandbox = filter.sandboxId === undefined ? undefined : parts.sandboxes.lookup(filter.sandboxId);
  if (filter.sandboxId !== undefined && sandbox === undefined) return [];
  if (filter.id !== undefined) {
    const found = parts.containers.lookup(filter.id);
    return found === undefined || (sandbox !== undefined && found.record.sandboxId !== sandbox.id)
      ? []
      : [found];
  }
  return [...(sandbox?.containers ?? parts.containers).values()];
}
