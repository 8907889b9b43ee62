import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { allPids, killProcess, processesOf, readProcLink } from '../node-processes.ts';
import { NodeSpace, removeCgroups } from '../node-space.ts';

/**
 * The surroundings of one measured node: namespaces, a directory, a cgroup parent, and the children started in
 * there. Closing it ends every process that belongs to it.
 */
export class Enclosure {
  readonly directory: string;
  /** `/berth-bench-…/<node>`: parent of all cgroups of the node's pods. */
  readonly cgroup: string;
  readonly #space: NodeSpace;
  readonly #children: ChildProcess[] = [];

  private constructor(directory: string, cgroup: string, space: NodeSpace) {
    this.directory = directory;
    this.cgroup = cgroup;
    this.#space = space;
    OPEN.add(this);
  }

  /** Makes the namespaces. `directory` is the node's own and new. */
  static async open(directory: string, cgroup: string): Promise<Enclosure> {
    mkdirSync(directory, { recursive: true });
    return new Enclosure(directory, cgroup, await NodeSpace.open(directory, cgroup, false));
  }

  /** Starts a long-running child inside, which ends with this process; its output goes to `<name>.log`. */
  start(name: string, argv: string[]): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    const options = ['--pdeathsig', 'KILL', ...this.#space.inside(argv)];
    const child = spawn('setpriv', options, { stdio: ['ignore', log, log], detached: true, cwd: '/' });
    closeSync(log);
    this.#children.push(child);
    return child;
  }

  /**
   * Starts a daemon as `start` does and resolves as soon as its socket takes connections. Rejects with the end of its log
   * when it ends before that, or takes too long.
   */
  async startListening(name: string, argv: string[], socket: string): Promise<ChildProcess> {
    const child = this.start(name, argv);
    const begun = performance.now();
    while (!(await accepts(socket))) {
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || performance.now() - begun > START_LIMIT_MS) {
        const log = readFileSync(join(this.directory, `${name}.log`), 'utf8').trimEnd();
        const tail = log.split('\n').slice(-15).join('\n');
        throw new Error(`${name} ${ended ? 'ended' : 'hangs'} before it listened:\n${tail}`);
      }
      await sleep(5);
    }
    return child;
  }

  /** Runs a short command inside and resolves to its output. Rejects when it fails. */
  run(argv: string[]): Promise<string> {
    return this.#space.run(argv);
  }

  /** Pids of all processes in the node's mount namespace, without its holder and `others`. */
  residents(others: ChildProcess[]): number[] {
    const apart = [this.#space.pid, ...others.map((child) => child.pid)];
    const namespace = readProcLink(this.#space.pid, 'ns/mnt');
    if (namespace === undefined) return [];
    return allPids().filter((pid) => !apart.includes(pid) && readProcLink(pid, 'ns/mnt') === namespace);
  }

  /** Ends all processes of the node and of its pods, and with them the namespaces and their mounts. */
  async close(): Promise<void> {
    if (!OPEN.delete(this)) return;
    for (const child of this.#children) child.kill('SIGKILL');
    const marks = { holder: this.#space.pid, directory: this.directory, cgroupParent: this.cgroup };
    for (let tries = 0; tries < 200; tries++) {
      const left = processesOf(marks);
      if (left.length === 0) break;
      left.forEach(killProcess);
      await sleep(20);
    }
    await this.#space.close();
    for (const child of this.#children) await over(child);
    for (let tries = 0; removeCgroups(this.cgroup).length > 0; tries++) {
      if (tries === 50) throw new Error(`The cgroup ${this.cgroup} is still busy`);
      await sleep(20);
    }
  }
}

const START_LIMIT_MS = 20_000;
const OPEN = new Set<Enclosure>();

/** Closes every enclosure that is still open: for the way out after a failure or Ctrl-C. */
export async function closeEnclosures(): Promise<void> {
  await Promise.all([...OPEN].map((enclosure) => enclosure.close()));
}

function over(child: ChildProcess): Promise<unknown> | undefined {
  if (child.exitCode !== null || child.signalCode !== null) return undefined;
  return new Promise((resolve) => child.once('exit', resolve));
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
