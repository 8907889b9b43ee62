import type { Limits } from './cgroup/limits.ts';

/** The files of an exec. */
export interface ExecFiles {
  /** The process (config.md, "Process"), as JSON. */
  process: string;
  /** Where the failures of the runtime itself are written. */
  log: string;
  /**
   * The runtime ends when the command has begun: its pid is then in `pid`, and this process, a subreaper, is its
   * parent. The master of its terminal is sent to the socket at `console`.
   */
  detached?: { pid: string; console?: string };
  /** A cgroup below the container's for the command, as the runtime's `--cgroup` wants it. */
  cgroup?: string;
}

/** What a checkpoint is made with. */
export interface CheckpointFiles {
  /** The program. */
  criu: string;
  /** Directory of what criu writes about the processes. */
  images: string;
  /** Directory of its logs. */
  work: string;
}

/**
 * An OCI runtime (crun, runc) as Berth uses it: it makes, starts, joins and unmakes containers. It is never asked
 * about state (that comes from pidfd, cgroup and exit record) and never kills (pidfd and cgroup do).
 */
export interface OciRuntime {
  /** The handler's name: `crun`. */
  readonly name: string;
  /** Absolute path of the executable. */
  readonly path: string;
  /** What is executed: the path, or the same program where it starts faster. Good as long as this process lives. */
  program(): string;
  /**
   * The same with an input that is at its end, whatever input it is started with
   * (`elf/empty-input.ts`); `terminal`: with an output of that kind, too. Undefined where that cannot be had.
   */
  programWithoutInput(terminal?: boolean): string | undefined;
  /** Arguments before the verb. The monitor gives them to the runtime when it creates a container. */
  readonly globalArgs: readonly string[];
  /** It takes a seccomp filter that is already compiled (crun's `run.oci.seccomp_bpf_data`). */
  readonly takesCompiledFilter: boolean;
  /** Creates a container without a monitor (a sandbox's pause). The pid is in `pidFile` afterwards. */
  create(id: string, bundle: string, pidFile: string, signal?: AbortSignal): Promise<void>;
  /** Where a created container waits for its start; the runtime takes the fifo away then. */
  startFifo(id: string): string;
  /**
   * Lets the created process run. With `hooks` the container's specification has some, which only the runtime itself
   * runs. Rejects with the runtime's own words when it cannot.
   */
  start(id: string, signal?: AbortSignal, hooks?: boolean): Promise<void>;
  /** Changes the limits of a container that lives (`update --resources`). Rejects with the runtime's own words. */
  update(id: string, resources: Limits, signal?: AbortSignal): Promise<void>;
  /**
   * Writes the state of a running container's processes to files (`checkpoint`, by criu); they run on. Rejects with the
   * runtime's own words. criu's log is `dump.log` in `work`.
   */
  checkpoint(id: string, files: CheckpointFiles, signal?: AbortSignal): Promise<void>;
  /** Throws `precondition` when it was built without checkpoints. */
  requireRestore(): Promise<void>;
  /** Unmakes a container whose process is gone: its cgroup and the runtime's record of it. No error when it is unknown. */
  delete(id: string, options?: { force?: boolean }): Promise<void>;
  /** The command that runs one more process inside; the caller owns its standard streams. */
  exec(id: string, files: ExecFiles): { path: string; argv: string[] };
}

/** What a runtime wrote to its log (JSON lines, `--log-format json`): the last error's text, or undefined. */
export function lastRuntimeError(log: string): string | undefined {
  let found: string | undefined;
  for (const line of log.split('\n')) {
    if (line === '') continue;
    try {
      const entry: unknown = JSON.parse(line);
      if (entry === null || typeof entry !== 'object' || !('msg' in entry)) continue;
      const level = 'level' in entry ? entry.level : 'error';
      if (level === 'error' || level === 'fatal' || found === undefined) found = String(entry.msg);
    } catch {
      // Not JSON: a runtime that died before it had read its flags writes plain text.
      found = line;
    }
  }
  return found;
}
