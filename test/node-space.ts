import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { patient } from './patience.ts';

const CGROUPS = '/sys/fs/cgroup';

/** Mount points of every cgroup hierarchy of this machine: the v1 ones, and the v2 tree on a machine with v2 only. */
export function cgroupHierarchies(): string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS];
  const names = readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.map((entry) => join(CGROUPS, entry.name));
}

/** The hierarchy in which a node's daemon sits in a cgroup of its own, so that none of its children is lost. */
function trackingHierarchy(): string {
  const v1 = join(CGROUPS, 'systemd');
  return existsSync(v1) ? v1 : CGROUPS;
}

/**
 * The namespaces of one test node: mount and network, held by a sleeping process, so that the daemon can die and come
 * back into them. The host's `/var/lib` is covered by an overlay and `/run` by a tmpfs, because plugins and OCI
 * runtimes keep fixed paths there; the v2 tree of a hybrid host is out of sight (crun refuses it) unless `hybrid`.
 */
export class NodeSpace {
  /** Pid of the holder: `/proc/<pid>/ns/*` and `/proc/<pid>/root` are the node's. */
  readonly pid: number;
  readonly #holder: ChildProcess;
  readonly #cgroup: string;

  private constructor(holder: ChildProcess, cgroup: string) {
    this.#holder = holder;
    this.pid = holder.pid!;
    this.#cgroup = cgroup;
  }

  /**
   * Makes the namespaces. `directory` takes what is written to `/var/lib`; `cgroupParent` (`/berth-test-…`) names the
   * cgroup below which the node's own processes are put. Rejects with the reason when this machine cannot do it.
   */
  static async open(directory: string, cgroupParent: string, hybrid: boolean): Promise<NodeSpace> {
    for (const name of ['upper', 'work']) mkdirSync(join(directory, 'var-lib', name), { recursive: true });
    const cgroup = join(trackingHierarchy(), cgroupParent, 'node');
    mkdirSync(cgroup, { recursive: true });
    const upper = `upperdir=${directory}/var-lib/upper,workdir=${directory}/var-lib/work`;
    const script = `set -e
      ip link set lo up
      if ! ${hybrid} && mountpoint -q ${CGROUPS}/unified; then
        umount ${CGROUPS}/unified
        # What crun writes to that path all the same must not land in the host's own tmpfs below.
        mount -t tmpfs -o mode=755 none ${CGROUPS}/unified
      fi
      mount -t overlay -o lowerdir=/var/lib,${upper} overlay /var/lib
      mount -t tmpfs -o mode=755 run /run
      echo ready; exec sleep infinity`;
    const argv = ['-m', '-n', '--propagation', 'private', '--', 'sh', '-c', script];
    const holder = spawn('unshare', argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      // The mark by which a later run finds it, should this one be killed.
      env: { ...process.env, BERTH_TEST_NODE: `${directory}/` },
    });
    await new Promise<void>((resolve, reject) => {
      let complaint = '';
      holder.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
      holder.once('error', reject);
      holder.once('exit', (code) =>
        reject(new Error(`The namespaces could not be made (${code}): ${complaint}`)),
      );
      holder.stdout.once('data', () => resolve());
    });
    for (const stream of [holder.stdout, holder.stderr]) stream.destroy();
    holder.unref();
    return new NodeSpace(holder, cgroup);
  }

  /** The command line that runs `argv` inside. */
  inside(argv: string[]): string[] {
    return ['nsenter', '-t', String(this.pid), '-m', '-n', '--', ...argv];
  }

  /** The same, in the cgroup of the node's own processes. */
  tracked(argv: string[]): string[] {
    return ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#cgroup, ...this.inside(argv)];
  }

  /** Runs a command inside and resolves with its output. Rejects when it fails or takes longer than 30 s. */
  run(argv: string[]): Promise<string> {
    const [file, ...rest] = this.inside(argv);
    return new Promise((resolve, reject) => {
      execFile(file!, rest, { timeout: patient(30_000), maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        reject(new Error(`${argv.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
      });
    });
  }

  /** How the node sees `path`, as a path of ours. */
  seen(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  /** Ends the holder; the namespaces end with their last process. */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#holder.once('exit', resolve));
    this.#holder.ref();
    this.#holder.kill('SIGKILL');
    await ended;
  }
}

/** Cgroups below `parent` (`/berth-test-…`) in every hierarchy, deepest first, as paths in /sys/fs/cgroup. */
export function cgroupsBelow(parent: string): string[] {
  return cgroupHierarchies().flatMap((hierarchy) => {
    const top = join(hierarchy, parent);
    return existsSync(top) ? [...directoriesBelow(top), top] : [];
  });
}

function directoriesBelow(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return entries.flatMap((entry) => [...directoriesBelow(join(path, entry.name)), join(path, entry.name)]);
  } catch {
    return []; // went away while it was read
  }
}

/** Pids in any cgroup below `parent`, in any hierarchy. */
export function membersBelow(parent: string): number[] {
  const pids = cgroupsBelow(parent).flatMap((path) => {
    try {
      return readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return []; // went away while it was read
    }
  });
  return [...new Set(pids)].filter((pid) => pid > 0);
}

/** Removes all cgroups below `parent` and itself. Returns those that stayed (they have members). */
export function removeCgroups(parent: string): string[] {
  return cgroupsBelow(parent).filter((path) => {
    try {
      thaw(path);
      rmdirSync(path);
      return false;
    } catch {
      return existsSync(path);
    }
  });
}

/** Lets the processes in the cgroups below `parent` run, so that they can die. */
export function thawBelow(parent: string): void {
  cgroupsBelow(parent).forEach(thaw);
}

/** A frozen process cannot die. */
function thaw(path: string): void {
  const state = join(path, 'freezer.state');
  try {
    if (existsSync(state)) writeFileSync(state, 'THAWED');
  } catch (error) {
    if (existsSync(state)) throw error; // else it went away meanwhile
  }
}
