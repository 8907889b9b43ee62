import type { Container, ContainerRecord } from './container.ts';
import type { Parts } from './parts.ts';
import type { ContainerFilter, ContainerView } from './pods.ts';
import { hasLabels } from './sandbox-view.ts';

/** A view on a record. A list of hundreds makes nothing but itself: each container keeps its own. */
class RecordView implements ContainerView {
  readonly #parts: Parts;
  readonly #container: Container;
  readonly #record: ContainerRecord;

  constructor(parts: Parts, container: Container, record: ContainerRecord) {
    this.#parts = parts;
    this.#container = container;
    this.#record = record;
  }

  get id() {
    return this.#record.id;
  }

  get sandboxId() {
    return this.#record.sandboxId;
  }

  get config() {
    return this.#record.config;
  }

  get state() {
    const { phase } = this.#record;
    return phase === 'creating' ? 'unknown' : phase;
  }

  get createdAtNs() {
    return this.#record.createdAtNs;
  }

  get startedAtNs() {
    return this.#record.startedAtNs;
  }

  get finishedAtNs() {
    return this.#record.finishedAtNs;
  }

  get exitCode() {
    return this.#record.exitCode;
  }

  get reason() {
    return this.#record.reason;
  }

  get message() {
    return this.#record.message;
  }

  get imageId() {
    return this.#record.imageId;
  }

  get imageRef() {
    return this.#record.imageRef;
  }

  get logPath() {
    return this.#record.logPath;
  }

  get user() {
    return this.#record.user;
  }

  get resources() {
    return this.#record.resources;
  }

  get stopSignal() {
    return this.#record.stopSignalName;
  }

  info() {
    const { id, monitored, handler, cgroupPath, updateAnnotations, notes, restore } = this.#record;
    const { execs, logCuts } = this.#container;
    return {
      pid: monitored?.init.pid ?? 0,
      monitorPid: monitored?.monitor.pid ?? 0,
      handler,
      bundle: this.#parts.paths.bundle(id),
      cgroup: cgroupPath,
      updateAnnotations: updateAnnotations ?? {},
      notes,
      restoredFrom: restore?.from ?? '',
      execs,
      logCuts,
      debts: this.#parts.debts.open.filter(({ owner }) => owner === id),
    };
  }
}

/** A container as the caller sees it: a live view, it shows what holds when it is looked at. */
export function containerView(parts: Parts, container: Container): ContainerView {
  return (container.view ??= new RecordView(parts, container, container.record));
}

/** A container as it is now, whatever becomes of it. */
export function containerNow(parts: Parts, container: Container): ContainerView {
  return new RecordView(parts, container, { ...container.record });
}

/** The containers that fit all parts of the filter. One that is still being made is not listed. */
export function listContainers(parts: Parts, filter: ContainerFilter): ContainerView[] {
  const views: ContainerView[] = [];
  for (const container of candidates(parts, filter)) {
    const { phase, config } = container.record;
    if (phase === 'creating' || (filter.state !== undefined && container.state !== filter.state)) continue;
    if (hasLabels(config.labels, filter.labels)) views.push(containerView(parts, container));
  }
  return views;
}

function candidates(parts: Parts, filter: ContainerFilter): Iterable<Container> {
  const sandbox = filter.sandboxId === undefined ? undefined : parts.sandboxes.lookup(filter.sandboxId);
  if (filter.sandboxId !== undefined && sandbox === undefined) return [];
  if (filter.id !== undefined) {
    const found = parts.containers.lookup(filter.id);
    return found === undefined || (sandbox !== undefined && found.record.sandboxId !== sandbox.id)
      ? []
      : [found];
  }
  return (sandbox?.containers ?? parts.containers).values();
}
