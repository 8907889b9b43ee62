import type { DesiredContainer, DesiredPod } from './desired.ts';

/** A container that this node's kubelets made. */
export interface MadeContainer {
  id: string;
  sandboxId: string;
  pod: DesiredPod;
  container: DesiredContainer;
  attempt: number;
  logPath: string;
  started: boolean;
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

  /** From now on `id` may be gone. */
  remove(id: string): void {
    this.removed.add(id);
    this.containers.delete(id);
    this.sandboxes.delete(id);
  }

  /** The containers of a sandbox. */
  in(sandboxId: string): MadeContainer[] {
    return [...this.containers.values()].filter((container) => container.sandboxId === sandboxId);
  }

  /** A reboot, or what is like it for a pod: all that ran there is ended by it. */
  endAll(why: string, podUid?: string): void {
    for (const container of this.containers.values())
      if (podUid === undefined || container.pod.uid === podUid) container.endedBy ??= why;
  }
}
