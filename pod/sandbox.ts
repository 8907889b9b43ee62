import { Fault } from '../ground/fault.ts';
import { hostIdOf, type IdMappings } from '../native/id-mapping.ts';
import type { Attachment } from '../network/pod-network.ts';
import type { PodCgroup } from './cgroup/pod-cgroup.ts';
import type { SandboxConfig } from './config.ts';
import type { Container } from './container.ts';
import type { SandboxView } from './pods.ts';
import type { MadeSandbox } from './sandbox-maker.ts';
import type { UsageWatch } from './stats/usage-watch.ts';
import { shortId } from './directory.ts';

/**
 * A sandbox's life. Only `SandboxRecord.phase` is stored; what the caller sees follows from it.
 *
 * ```
 *            record            commit                 stop, pause gone, reboot
 *  (nothing) ──────► creating ────────► ready ──────────────────────────────► notready ──remove──► (nothing)
 *                        └ failed: undone, record gone
 * ```
 *
 * An undo that fails becomes a debt (debts.ts) and never holds a sandbox in a phase.
 */
export type SandboxPhase = 'creating' | 'ready' | 'notready';

/** The durable half of a sandbox: all that finding, undoing and showing it again needs. */
export interface SandboxRecord {
  id: string;
  handler: string;
  config: SandboxConfig;
  phase: SandboxPhase;
  createdAtNs: bigint;
  made?: MadeSandbox;
  cgroup?: PodCgroup;
  attachment?: Attachment;
  /** Of the labels of its processes and files, where SELinux is on: no other pod has its categories. */
  selinuxLevel?: string;
  /** Network, pause, mounts and cgroup of it are given back (or owed as debts): nothing is left to stop. */
  released: boolean;
}

/** A sandbox in memory: its record, its containers, and what runs on it just now. */
export class Sandbox {
  readonly record: SandboxRecord;
  readonly containers = new Map<string, Container>();
  /** Nobody has this sandbox's id yet: the next call with its name gets it. */
  adoptable = false;
  /** As callers see it, once somebody has asked. */
  view: SandboxView | undefined;
  /** What statistics remember of earlier ones. */
  usage: UsageWatch | undefined;
  /** The running stop or removal, for twins to join. */
  stopping: Promise<void> | undefined;
  removing: Promise<void> | undefined;

  constructor(record: SandboxRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  /** Name and attempt: what a repeated RunPodSandbox is known by. */
  get name(): string {
    return sandboxName(this.record.config);
  }

  get subject(): string {
    const { name, namespace } = this.record.config.metadata;
    return `sandbox ${shortId(this.id)} (${namespace}/${name})`;
  }

  get ready(): boolean {
    return this.record.phase === 'ready';
  }
}

/** `name_namespace_uid_attempt`, as the peers form it. */
export function sandboxName(config: SandboxConfig): string {
  const { name, namespace, uid, attempt } = config.metadata;
  return `${name}_${namespace}_${uid}_${attempt}`;
}

/** Which namespaces the pod has for itself. */
export function ownNamespaces(config: SandboxConfig): { net: boolean; ipc: boolean; pid: boolean } {
  const { network, ipc, pid } = config.security.namespaces;
  return { net: network !== 'node', ipc: ipc !== 'node', pid: pid === 'pod' };
}

/** The ids of the pod's user namespace; undefined when it runs in the node's. */
export function podUserns({ security }: SandboxConfig): IdMappings | undefined {
  const { userns } = security.namespaces;
  return userns === undefined || userns.mode === 'node'
    ? undefined
    : { uids: userns.uids, gids: userns.gids };
}

/** What the pod's root is on the node; undefined when that is the node's own. */
export function podRoot(config: SandboxConfig): { uid: number; gid: number } | undefined {
  const userns = podUserns(config);
  if (userns === undefined) return undefined;
  return { uid: hostIdOf(userns.uids, 0)!, gid: hostIdOf(userns.gids, 0)! };
}

/**
 * Throws `precondition` unless the sandbox can take a container: in a dead one it would join the wrong namespaces, or
 * none (containerd PR 13654).
 */
export function requireReady(sandbox: Sandbox): void {
  if (sandbox.ready && sandbox.stopping === undefined && sandbox.removing === undefined) return;
  throw new Fault('precondition', `The ${sandbox.subject} is not ready`, {
    hint: 'its pause process has ended or it was stopped: run a new sandbox',
  });
}

/** A plain copy of a record, checked when it is read back after a restart. */
export function checkSandboxRecord(value: unknown): SandboxRecord {
  const record = value as SandboxRecord;
  if (typeof record?.id !== 'string' || typeof record.createdAtNs !== 'bigint')
    throw new Error('id or time is missing');
  if (typeof record.config?.metadata?.name !== 'string' || record.config.security?.namespaces === undefined) {
    throw new Error('the configuration is incomplete');
  }
  if (!['creating', 'ready', 'notready'].includes(record.phase))
    throw new Error(`unknown phase ${record.phase}`);
  return record;
}
