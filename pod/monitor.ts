import type { OciRuntime } from './oci-runtime.ts';

export interface MonitorRequest {
  id: string;
  /** Directory with config.json; the monitor's sockets and pipes go there too. */
  bundle: string;
  runtime: OciRuntime;
  /** Absolute path of the log file in CRI format, or undefined for none. */
  logPath: string | undefined;
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  /** The container has a user namespace: what it is given without input must not be the node's own /dev/null. */
  userns: boolean;
  /** Absent: it is created. `images`: directory of what criu wrote about its processes; `criu`: the program. */
  restore?: { images: string; criu: string };
}

/** A process that can be told from a later one with the same number. */
export interface ProcessMark {
  pid: number;
  /** Clock ticks since boot, /proc/pid/stat field 22. */
  startTime: bigint;
}

/** A created container as its monitor holds it. Durable data. */
export interface Monitored {
  monitor: ProcessMark;
  init: ProcessMark;
}

export interface ExitRecord {
  /** 0 to 255; 128+n when signal n ended it. */
  code: number;
  atNs: bigint;
}

/** A monitor that waits to be told that the bundle is complete. One of the two is called, once. */
export interface MonitorStart {
  /** Creates the container. Rejects with the runtime's words when that fails; the monitor is gone then. */
  create(signal?: AbortSignal): Promise<Monitored>;
  /** Ends the monitor; the container is not to be. No error when it has ended. */
  abandon(): Promise<void>;
}

/**
 * The process that stands beside a container: it created it, holds its pipes and its log, waits for it and writes its
 * exit code. It needs no daemon.
 */
export interface Monitor {
  /**
   * Starts the monitor for a container whose bundle is still being written: its own start passes meanwhile. The
   * bundle's and the log's directories exist. It creates nothing before `create`.
   */
  begin(request: MonitorRequest): MonitorStart;
  /** Resolves when that very monitor has ended, at once when it already has. */
  ended(monitor: ProcessMark): Promise<void>;
  /** What the monitor wrote at the container's end; undefined while it has not. */
  exitOf(id: string): ExitRecord | undefined;
  /** Forgets the exit record. */
  forget(id: string): void;
  /**
   * A connection to the container's standard streams, as a non-blocking socket of packets: what comes begins with a byte
   * that names the stream (2 stdout, 3 stderr), what is sent is the container's input. The monitor waits for whoever
   * does not read. Throws ENOENT, ECONNREFUSED when the monitor is gone.
   */
  attach(bundle: string): number;
  /** Sets the size of the container's terminal. Nothing when the monitor is gone. */
  resize(bundle: string, columns: number, rows: number): void;
  /**
   * Makes the monitor open its log file anew. Resolves when it writes there; no line is lost or stands twice. When it
   * rejects, no new file is made, now or later.
   */
  reopenLog(monitor: ProcessMark, bundle: string, logPath: string, signal?: AbortSignal): Promise<void>;
}
