import { hostLinkOf } from '../network/host-link.ts';
import type { Parts } from './parts.ts';
import type { SandboxFilter, SandboxView } from './pods.ts';
import type { Sandbox } from './sandbox.ts';

/** A sandbox as the caller sees it: a live view on its record, made without any wait. */
export function sandboxView(parts: Parts, sandbox: Sandbox): SandboxView {
  const { record } = sandbox;
  return {
    id: record.id,
    config: record.config,
    handler: record.handler,
    state: record.phase === 'ready' ? 'ready' : 'notready',
    createdAtNs: record.createdAtNs,
    addresses: record.attachment?.addresses ?? [],
    get hostLink() {
      return record.attachment === undefined ? '' : hostLinkOf(record.attachment);
    },
    info: () => ({
      pid: record.made?.pid ?? 0,
      networkNamespace: parts.paths.netnsPin(record.id),
      attachment: record.attachment,
      cgroup: record.cgroup,
      overhead: record.config.overhead,
      resources: record.config.resources,
      containers: [...sandbox.containers.keys()],
      debts: parts.debts.open.filter(({ owner }) => owner === record.id),
    }),
  };
}

/** The sandboxes that fit all parts of the filter. One that is still being made is not listed. */
export function listSandboxes(parts: Parts, filter: SandboxFilter): SandboxView[] {
  const all = filter.id === undefined ? [...parts.sandboxes.values()] : [parts.sandboxes.lookup(filter.id)];
  return all
    .filter((sandbox) => sandbox !== undefined && sandbox.record.phase !== 'creating')
    .map((sandbox) => sandboxView(parts, sandbox!))
    .filter((view) => filter.state === undefined || view.state === filter.state)
    .filter((view) => hasLabels(view.config.labels, filter.labels));
}

/** Whether `labels` holds every pair of `wanted`. */
export function hasLabels(labels: Record<string, string>, wanted: Record<string, string>): boolean {
  for (const name in wanted) if (labels[name] !== wanted[name]) return false;
  return true;
}
