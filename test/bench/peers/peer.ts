/** A running daemon with its node: what the measurements need to know of it. */
export interface Node {
  /** Path of its CRI socket. */
  socket: string;
  /** `cgroup_parent` of its pods: `/berth-bench-…/<node>`. */
  cgroup: string;
  /** Log directory for its pods. */
  logs: string;
  /** The daemon's pid. */
  daemon: number;
  /** When it was started, on the clock of `performance.now()`. */
  spawnedAt: number;
  /** Pids of everything that runs in the node's mount namespace for the runtime: daemon, shims, monitors. */
  helpers(): number[];
  /** The daemon's metrics page. Absent when it has none. */
  metrics?(): Promise<string>;
  /** Runs a command in its namespaces and resolves to its output. Rejects when it fails. */
  run(argv: string[]): Promise<string>;
  /** Where the OCI runtime of a handler keeps its state. Absent where nobody asks. */
  ociState?(handler: string): string;
  /** Ends daemon, pods and namespaces. */
  close(): Promise<void>;
}

/** How to start a node with empty stores under `directory`. */
export type StartNode = (directory: string, cgroup: string, store: string) => Promise<Node>;

/** One competitor: a node and the runtime handler that is asked of it. */
export interface Peer {
  name: 'berth crun' | 'containerd runc' | 'containerd crun';
  node: Node;
  handler: string;
}
