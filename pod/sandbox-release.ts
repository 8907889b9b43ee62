import { rmSync } from 'node:fs';
import type { AttachRequest, Attachment } from '../network/pod-network.ts';
import { umount } from '../native/mount.ts';
import { removePodCgroup, type PodCgroup } from './cgroup/pod-cgroup.ts';
import type { SandboxConfig } from './config.ts';
import type { Parts } from './parts.ts';
import { ownNamespaces, podUserns, type SandboxRecord } from './sandbox.ts';
import { sandboxAnnotations } from './spec/sandbox-annotations.ts';
import type { SandboxRequest } from './sandbox-maker.ts';

/** The kinds of debts that giving a sandbox back can leave. */
export const SANDBOX_DEBTS = { network: 'network', pause: 'pause', cgroup: 'cgroup' } as const;

interface NetworkDebt {
  request: AttachRequest;
  attachment: Attachment | undefined;
}

interface PauseDebt {
  handler: string;
  request: SandboxRequest;
  made: SandboxRecord['made'];
}

/** Names the payers of a sandbox's debts. */
export function registerSandboxDebts(parts: Parts): void {
  parts.debts.register(SANDBOX_DEBTS.network, async (detail) => {
    const { request, attachment } = detail as NetworkDebt;
    await parts.network.detach(request, attachment);
  });
  parts.debts.register(SANDBOX_DEBTS.pause, async (detail) => {
    const { handler, request, made } = detail as PauseDebt;
    await parts.handlers.get(handler)?.maker.destroy(request, made);
  });
  parts.debts.register(SANDBOX_DEBTS.cgroup, async (detail, owner) =>
    removePodCgroup(detail as PodCgroup, cgroupsOfOthers(parts, owner)),
  );
}

/** Cgroup directories that other sandboxes count as theirs: the last one that shares them takes them away. */
export function cgroupsOfOthers(parts: Parts, id: string): Set<string> {
  const directories = new Set<string>();
  for (const { record } of parts.sandboxes.values()) {
    if (record.id === id || record.released) continue;
    record.cgroup?.made.forEach((directory) => directories.add(directory));
  }
  return directories;
}

/** What the network room is told of a sandbox. */
export function attachRequest(parts: Parts, record: SandboxRecord): AttachRequest {
  const { config, id } = record;
  return {
    id,
    netnsPath: parts.paths.netnsPin(id),
    podName: config.metadata.name,
    podNamespace: config.metadata.namespace,
    podUid: config.metadata.uid,
    hostPorts: config.portMappings.filter(({ hostPort }) => hostPort > 0),
    annotations: config.annotations,
    cgroupParent: config.cgroupParent,
    dns: config.dns,
  };
}

/** What the maker is told of a sandbox. */
export function sandboxRequest(parts: Parts, record: SandboxRecord): SandboxRequest {
  const { config, id } = record;
  const namespaces = ownNamespaces(config);
  return {
    id,
    hostname: namespaces.net ? sandboxHostname(config) : '',
    namespaces,
    userns: podUserns(config),
    sysctls: config.sysctls,
    annotations: sandboxAnnotations(id, config),
    cgroupParent: cgroupParent(parts, config),
    cgroup: record.cgroup,
    ...(namespaces.net ? { netnsPin: parts.paths.netnsPin(id) } : {}),
  };
}

/** The cgroup above the pod's containers: the configured one, else the node's own for pods. */
export function cgroupParent(parts: Parts, config: SandboxConfig): string {
  return config.cgroupParent === '' ? parts.settings.cgroupParent : config.cgroupParent;
}

/** The name that the pod's processes see: the configured one, else the pod's. */
export function sandboxHostname(config: SandboxConfig): string {
  return config.hostname === '' ? config.metadata.name : config.hostname;
}

/**
 * Gives back all that a sandbox holds in the kernel, in the reverse order of making, each step independent of the
 * others: what fails becomes a debt. Never rejects, and finds nothing to do the second time.
 */
export async function releaseSandbox(parts: Parts, record: SandboxRecord): Promise<void> {
  const { id } = record;
  const { debts } = parts;
  if (ownNamespaces(record.config).net) await releaseNetwork(parts, record);
  await debts.payOrOwe(SANDBOX_DEBTS.pause, id, {
    handler: record.handler,
    request: sandboxRequest(parts, record),
    made: record.made,
  } satisfies PauseDebt);
  umount(parts.paths.shm(id));
  rmSync(parts.paths.sandbox(id), { recursive: true, force: true });
  if (record.cgroup === undefined) return;
  await containersGone(parts, id, record.cgroup);
  await debts.payOrOwe(SANDBOX_DEBTS.cgroup, id, record.cgroup);
}

/**
 * Where nobody had made the pod's cgroup it is ours to remove, and cannot be while the OCI runtime is still taking a
 * container's cgroup out of it. The kubelet's are its own: then nothing waits.
 */
async function containersGone(parts: Parts, id: string, { parent, made }: PodCgroup): Promise<void> {
  if (!made.some((directory) => directory.endsWith(parent))) return;
  const containers = parts.sandboxes.lookup(id)?.containers.values() ?? [];
  for (const { releasing } of containers) await releasing;
}

/** The network's part of a release: it comes first, while the namespace is still there. */
export async function releaseNetwork(parts: Parts, record: SandboxRecord): Promise<void> {
  const detail: NetworkDebt = { request: attachRequest(parts, record), attachment: record.attachment };
  await parts.debts.payOrOwe(SANDBOX_DEBTS.network, record.id, detail);
}
