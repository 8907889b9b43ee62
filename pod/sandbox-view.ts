import { hostLinkOf } from '../network/host-link.ts';
import type { Parts } from './parts.ts';
import type { SandboxFilter, SandboxView } from './pods.ts';
import type { Sandbox, SandboxRecord } from './sandbox.ts';

/** A view on a record. A list of hundreds makes nothing but itself: each sandbox keeps its own. */
class RecordView implements SandboxView {
  readonly #parts: Parts;
  readonly #sandbox: Sandbox;
  readonly #record: SandboxRecord;

  constructor(parts: Parts, sandbox: Sandbox, record: SandboxRecord) {
    this.#parts = parts;
    this.#sandbox = sandbox;
    this.#record = record;
  }

  get id() {
    return this.#record.id;
  }

  get config() {
    return this.#record.config;
  }

  get handler() {
    return this.#record.handler;
  }

  get state() {
    return this.#record.phase === 'ready' ? 'ready' : 'notready';
  }

  get createdAtNs() {
    return this.#record.createdAtNs;
  }

  get addresses() {
    return this.#record.attachment?.addresses ?? [];
  }

  get hostLink() {
    const { attachment } = this.#record;
    return attachment === undefined ? '' : hostLinkOf(attachment);
  }

  info() {
    const { id, made, attachment, cgroup, config } = this.#record;
    return {
      pid: made?.pid ?? 0,
      networkNamespace: this.#parts.paths.netnsPin(id),
      attachment,
      cgroup,
      overhead: config.overhead,
      resources: config.resources,
      containers: [...this.#sandbox.containers.keys()],
      debts: this.#parts.debts.open.filter(({ owner }) => owner === id),
    };
  }
}

/** A sandbox as the caller sees it: a live view, it shows what holds when it is looked at. */
export function sandboxView(parts: Parts, sandbox: Sandbox): SandboxView {
  return (sandbox.view ??= new RecordView(parts, sandbox, sandbox.record));
}

/** A sandbox as it is now, whatever becomes of it. */
export function sandboxNow(parts: Parts, sandbox: Sandbox): SandboxView {
  return new RecordView(parts, sandbox, { ...sandbox.record });
}

/** The sandboxes that fit all parts of the filter. One that is still being made is not listed. */
export function listSandboxes(parts: Parts, filter: SandboxFilter): SandboxView[] {
  const { id, state, labels } = filter;
  const views: SandboxView[] = [];
  for (const sandbox of id === undefined ? parts.sandboxes.values() : [parts.sandboxes.lookup(id)]) {
    if (sandbox === undefined || sandbox.record.phase === 'creating') continue;
    const view = sandboxView(parts, sandbox);
    if ((state === undefined || view.state === state) && hasLabels(view.config.labels, labels))
      views.push(view);
  }
  return views;
}

/** Whether `labels` holds every pair of `wanted`. */
export function hasLabels(labels: Record<string, string>, wanted: Record<string, string>): boolean {
  for (const name in wanted) if (labels[name] !== wanted[name]) return false;
  return true;
}
