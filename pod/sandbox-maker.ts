import type { IdMappings } from '../native/id-mapping.ts';
import type { PodCgroup } from './cgroup/pod-cgroup.ts';

/**
 * Makes what a pod stands in: its namespaces and the pause process that holds them. Two makers serve this one
 * interface: `sandbox-maker-inprocess.ts` (a thread unshares and spawns pause: about a millisecond) and
 * `sandbox-maker-oci.ts` (the OCI runtime starts pause: for handlers or pods that need that).
 */

export interface SandboxRequest {
  id: string;
  hostname: string;
  /** Namespaces that the pod has for itself; the others are the node's. uts follows the network. */
  namespaces: { net: boolean; ipc: boolean; pid: boolean };
  /** The pod has a user namespace that maps these ids; its other namespaces then belong to that one. */
  userns?: IdMappings;
  /** Applied inside the new namespaces: `net.*`, `kernel.shm*`, `kernel.msg*`, `kernel.sem`, `fs.mqueue.*`, `kernel.domainname`. */
  sysctls: Record<string, string>;
  /** For a maker that asks an OCI runtime: annotations of the sandbox's specification. */
  annotations?: Record<string, string>;
  /** Where to pin the network namespace: a file in the runtime's private directory. Absent with the node's network. */
  netnsPin?: string;
  /** The pod's cgroup in the configuration's spelling: pause is accounted there or below. */
  cgroupParent: string;
  /** The pod's cgroup, which the maker makes. Pause is born in it, where the maker can do that (`entersCgroup`). */
  cgroup?: PodCgroup;
}

/** A made sandbox: durable data, enough to find it again after a restart. */
export interface MadeSandbox {
  /** The pause process as the node sees it. */
  pid: number;
  /** Start time in clock ticks since boot (/proc/pid/stat field 22): tells the process from a later one with the same pid. */
  startTime: bigint;
}

export interface SandboxMaker {
  /** Whether pause is born in the pod's cgroup or below; else the caller moves it there. */
  readonly entersCgroup: boolean;
  /**
   * `pinned` is called when the network namespace is complete and pinned, if pause has to be waited for after that:
   * the network may be made meanwhile. When the promise rejects nothing is left but the cgroup.
   */
  make(request: SandboxRequest, signal?: AbortSignal, pinned?: () => void): Promise<MadeSandbox>;
  /** Ends pause and releases the pins. Idempotent; `made` may be absent (crash between intent and commit). */
  destroy(request: SandboxRequest, made: MadeSandbox | undefined): Promise<void>;
  /** Whether that very process still lives. */
  alive(made: MadeSandbox): boolean;
  /** Resolves when pause has ended. */
  exited(made: MadeSandbox): Promise<void>;
  close(): Promise<void>;
}
