import type { CniVersion, JsonObject } from './config-list.ts';
import type { Result } from './result.ts';

/** A plugin's own configuration as a call carries it (CNI specification 1.1, section 3, "Deriving execution configuration"). */
export type PluginConfig = JsonObject & { cniVersion: CniVersion; name: string; type: string };

/** The pod side of a call. */
export interface PluginPod {
  containerId: string;
  /** Path of the network namespace; empty on DEL when it is gone. */
  netns: string;
  ifName: string;
  /** From CNI_ARGS. */
  args: Record<string, string>;
}

/** Runs another plugin with the same pod and configuration: an IPAM plugin. */
export interface Delegate {
  /** Rejects with a Fault whose cause is the plugin's PluginError. Resolves with what it printed. */
  (verb: 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC', type: string, signal?: AbortSignal): Promise<unknown>;
}

/** One call of ADD, DEL or CHECK. */
export interface PluginCallInput extends PluginPod {
  config: PluginConfig;
  /** Result of the plugin before, in the newest form. */
  prevResult: Result | undefined;
  delegate: Delegate;
}

/** One call of STATUS or GC, which concern no pod. */
export interface PluginNodeInput {
  config: PluginConfig;
  delegate: Delegate;
}

/**
 * A CNI plugin as a function (CNI specification 1.1, section 4). The same object serves in the daemon's process and
 * as an executable. It works in the network namespace that the process is in, throws PluginError with a code of the
 * specification, or any other error, which becomes `CNI_ERROR.failed`.
 */
export interface Plugin {
  readonly type: string;
  /** When it fails it has undone its own steps. */
  add(input: PluginCallInput, signal?: AbortSignal): Promise<Result>;
  /**
   * Does what ADD has put off to the end of the list, so that plugins that follow each other change the node in one
   * step. Called once all plugins of a list have added the pod, and after ADD in an executable. Absent: nothing.
   */
  settle?(containerId: string, signal?: AbortSignal): Promise<void>;
  /** Idempotent; succeeds when there is nothing (left). `prevResult` and namespace may be missing. */
  del(input: PluginCallInput, signal?: AbortSignal): Promise<void>;
  /** Throws when the kernel is not as ADD left it. */
  check(input: PluginCallInput, signal?: AbortSignal): Promise<void>;
  /** Throws when ADD could not be served. Absent: it always can. */
  status?(input: PluginNodeInput, signal?: AbortSignal): Promise<void>;
  /** Frees what belongs to none of the valid attachments. Absent: it holds nothing. */
  gc?(
    input: PluginNodeInput & { valid: { containerId: string; ifName: string }[] },
    signal?: AbortSignal,
  ): Promise<void>;
}
