import type { DesiredContainer, DesiredPod } from './desired.ts';

/** A container that this node's kubelets made. */
export interface MadeContainer {
  id: string;
  sandboxId: string;
  pod: DesiredPod;
  container: DesiredContainer;
  attempt: number;
  logPath: string;
  /** Where its last words are, on the node. */
  messagePath: string;
  started: boolean;
  /** Its log has another name for a moment. */
  rotating?: boolean;
  /** Why another end than its own is right: it was stopped, it died with the node, somebody killed it. */
  endedBy?: string;
}

export interface MadeSandbox {
  id: string;
  pod: DesiredPod;
  attempt: number;
}

/**
 * What was asked of the runtime, and granted. Kubelets come and go, the ledger stays: by it the runtime's lists are
 * held to account. An object is in it from the answer to its creation until its removal was asked for.
 */
export class Ledger {
  readonly containers = new Map<string, MadeContainer>();
  readonly sandboxes = new Map<string, MadeSandbox>();
  /** Every pod that a kubelet was ever told of, by uid. */
  readonly pods = new Map<string, DesiredPod>();
  /** Ids whose removal was asked for: they may be listed for a moment, or be gone. */
  readonly removed = new Set<string>();

  /** Addresses of the sandboxes that were ready when they were last looked at. */
  readonly addresses = new Map<string, string>();

  /** From now on `id` may be gone. */
  remove(id: string): void {
    this.addresses.delete(id);
    this.removed.add(id);
    this.containers.delete(id);
    this.sandboxes.delete(id);
  }

  /** The containers of a sandbox. */
  in(sandboxId: string): MadeContainer[] {
    return [...this.containers.values()].filter((container) => container.sandboxId === sandboxId);
  }

  /** A reboot: all that ran is ended by it. */
  endAll(why: string): void {
    this.addresses.clear();
    for (const container of this.containers.values()) container.endedBy ??= why;
  }

  /** Sandboxes that were asked to end, or that somebody killed. */
  readonly ended = new Set<string>();

  /** A sandbox is about to end, and what runs in it with it. */
  endSandbox(id: string, why: string): void {
    this.ended.add(id);
    this.addresses.delete(id);
    for (const container of this.in(id)) container.endedBy ??= why;
  }
}
