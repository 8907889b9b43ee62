import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { Client, type ClientOptions } from '../cri/client.ts';
import { OciFaults } from './faults.ts';
import { killProcess, processesOf, processOf, type NodeMarks } from './node-processes.ts';
import { membersBelow, NodeSpace, removeCgroups, thawBelow } from './node-space.ts';
import { ownDirectory } from './strays.ts';
import { patient } from './patience.ts';

const REPOSITORY = join(import.meta.dirname, '..');
const START_LIMIT_MS = patient(30_000);
const STOP_LIMIT_MS = patient(20_000);

export interface NodeOptions {
  /** Keep the v2 tree of a hybrid host in sight: crun refuses to work then. */
  hybrid?: boolean;
  /** Merged over the generated configuration, table by table. */
  config?: Record<string, unknown>;
  /** For the daemon, on top of the test's own environment. `BERTH_CRASH_AT=RunPodSandbox:network` kills it there. */
  env?: Record<string, string>;
  /** The program that does the work of the handler `faulty`. Default: crun. */
  faultyRuntime?: string;
  /** A CNI configuration list for `conf_dir`. Default: none, the built-in network serves. */
  cni?: object;
}

type Table = Record<string, unknown>;

function merge(base: Table, over: Table): Table {
  const merged: Table = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTable(value) && isTable(below) ? merge(below, value) : value;
  }
  return merged;
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A node of its own for one test: namespaces, directories, a cgroup parent, and a daemon that can be killed, started
 * again and rebooted. What a pod needs outlives the daemon, as on a real node.
 *
 *   starting --> up --kill9/stop--> down --start--> up
 *                 \----------- destroy -----------> gone
 */
export class TestNode implements NodeMarks {
  /** All files of the node, short because of the limit of unix socket paths. */
  readonly directory: string;
  /** `/berth-test-…`: parent of all cgroups of its pods. */
  readonly cgroupParent: string;
  readonly faults: OciFaults;
  /** `bin/berth` of the daemon's next start: an upgrade takes another one. */
  program = join(REPOSITORY, 'bin/berth');
  readonly #options: NodeOptions;
  #space: NodeSpace;
  #daemon: ChildProcess | undefined;
  #client: Client | undefined;
  #bootId: string = randomUUID();

  private constructor(directory: string, cgroupParent: string, space: NodeSpace, options: NodeOptions) {
    this.directory = directory;
    this.cgroupParent = cgroupParent;
    this.#space = space;
    this.#options = options;
    this.faults = new OciFaults(directory, options.faultyRuntime ?? handlerUnderTest() ?? 'crun');
  }

  /** Makes the node; the daemon is not started yet. */
  static async make(options: NodeOptions = {}): Promise<TestNode> {
    const name = randomBytes(3).toString('hex');
    const directory = mkdtempSync(`/tmp/berth-${name}`);
    const cgroupParent = `/berth-test-${name}`;
    try {
      ownDirectory(directory);
      // The root of a pod with a user namespace is somebody else on the node, and has to come through.
      chmodSync(directory, 0o711);
      for (const part of ['root', 'state', 'logs', 'certs.d', 'net.d']) mkdirSync(join(directory, part));
      const space = await NodeSpace.open(directory, cgroupParent, options.hybrid === true);
      const node = new TestNode(directory, cgroupParent, space, options);
      node.#writeConfig();
      return node;
    } catch (error) {
      removeCgroups(cgroupParent);
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  get root(): string {
    return join(this.directory, 'root');
  }
  get state(): string {
    return join(this.directory, 'state');
  }
  get socket(): string {
    return join(this.state, 'berth.sock');
  }
  get configFile(): string {
    return join(this.directory, 'berth.toml');
  }
  /** Where the tests put the pods' log directories. */
  get logs(): string {
    return join(this.directory, 'logs');
  }
  get holder(): number {
    return this.#space.pid;
  }
  get space(): NodeSpace {
    return this.#space;
  }

  /** The daemon's pid. Throws when it is not running. */
  get pid(): number {
    if (this.#daemon?.pid === undefined || !this.running) throw new Error('The daemon is not running');
    return this.#daemon.pid;
  }

  /** The daemon's pid, or undefined while it is down. */
  get daemonPid(): number | undefined {
    return this.running ? this.#daemon?.pid : undefined;
  }

  get running(): boolean {
    return this.#daemon !== undefined && this.#daemon.exitCode === null && this.#daemon.signalCode === null;
  }

  /** The CRI, spoken over the node's socket. Throws when the daemon was never up. */
  get client(): Client {
    if (this.#client === undefined) throw new Error('The daemon was not started');
    return this.#client;
  }

  /** Another caller, to be closed by who asked for it. */
  clientWith(options: ClientOptions): Client {
    return new Client(this.socket, options);
  }

  /** What the daemon wrote since the node was made. */
  get log(): string {
    const file = join(this.directory, 'daemon.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** The end of the daemon's log, for the message of a failed test. */
  logTail(lines = 40): string {
    return this.log.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Starts the daemon and waits until its socket answers. Rejects with its log when it ends before that. */
  async start(env: Record<string, string> = {}): Promise<void> {
    const log = openSync(join(this.directory, 'daemon.log'), 'a');
    const [file, ...argv] = this.#space.tracked([this.program, 'serve', '--config', this.configFile]);
    this.#daemon = spawn(file!, argv, {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: '/',
      env: { ...process.env, BERTH_BOOT_ID: this.#bootId, ...this.#options.env, ...env },
    });
    closeSync(log);
    const begun = performance.now();
    while (!(await answers(this.socket))) {
      if (!this.running)
        throw new Error(`The daemon ended (${this.#ending()}) before it listened:\n${this.logTail()}`);
      if (performance.now() - begun > START_LIMIT_MS)
        throw new Error(`The daemon did not listen within ${START_LIMIT_MS} ms:\n${this.logTail()}`);
      await sleep(20);
    }
    this.#client?.close();
    this.#client = new Client(this.socket);
    // Connects, so that a census before the first call sees the connection's descriptor. Answers when the runtime
    // handlers are tried, so that nothing of the trials is in it either.
    await this.#client.call('Status', {});
  }

  /** Power is cut for the daemon alone: SIGKILL. */
  async kill9(): Promise<void> {
    if (this.running) this.#daemon!.kill('SIGKILL');
    await this.ended();
  }

  /** Resolves when the daemon has ended, by itself or not. */
  async ended(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || !this.running) return;
    await new Promise((resolve) => daemon.once('exit', resolve));
  }

  /** SIGTERM; rejects when the daemon is not gone in time or ends with another code than 0. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.#daemon!.kill('SIGTERM');
    const late = await Promise.race([this.ended(), sleep(STOP_LIMIT_MS, 'late' as const, { ref: false })]);
    if (late === 'late') {
      await this.kill9();
      throw new Error(`The daemon did not end within ${STOP_LIMIT_MS} ms of SIGTERM:\n${this.logTail()}`);
    }
    if (this.#daemon!.exitCode !== 0)
      throw new Error(`The daemon ended with ${this.#ending()} after SIGTERM:\n${this.logTail()}`);
  }

  async restart(env: Record<string, string> = {}): Promise<void> {
    await this.stop();
    await this.start(env);
  }

  /** Runs a command in the node's namespaces. */
  exec(argv: string[]): Promise<string> {
    return this.#space.run(argv);
  }

  /** The command line of `bin/berth` with the node's configuration. */
  berthCommand(...argv: string[]): string[] {
    return [join(REPOSITORY, 'bin/berth'), ...argv, '--config', this.configFile];
  }

  /** Runs `bin/berth` in the node's namespaces with the node's configuration. */
  berth(...argv: string[]): Promise<string> {
    return this.exec(this.berthCommand(...argv));
  }

  /**
   * What a reboot does: every process dies, memory (namespaces, mounts, cgroups, the state directory) is gone, the boot
   * id is another one, the disk stays. The daemon is not started.
   */
  async reboot(): Promise<void> {
    await this.#killAll();
    await this.#space.close();
    this.#dropCgroups();
    rmSync(this.state, { recursive: true, force: true });
    mkdirSync(this.state);
    this.#bootId = randomUUID();
    this.#space = await NodeSpace.open(this.directory, this.cgroupParent, this.#options.hybrid === true);
  }

  /** Removes all there is of the node. Rejects when something cannot be removed. */
  async destroy(): Promise<void> {
    this.#client?.close();
    const failures: unknown[] = [];
    await this.stop().catch((error: unknown) => failures.push(error));
    await this.#killAll().catch((error: unknown) => failures.push(error));
    await this.#space.close();
    try {
      this.#dropCgroups();
      rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    } catch (error) {
      failures.push(error);
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, 'The node could not be removed');
  }

  #dropCgroups(): void {
    const left = removeCgroups(this.cgroupParent);
    if (left.length > 0) throw new Error(`Cgroups cannot be removed: ${left.join(', ')}`);
  }

  async #killAll(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      thawBelow(this.cgroupParent);
      const members = membersBelow(this.cgroupParent).map(processOf);
      const left = [...processesOf(this), ...members].filter((process) => process !== undefined);
      const others = left.filter(({ pid }) => pid !== process.pid && pid !== this.holder);
      if (others.length === 0) return;
      others.forEach(killProcess);
      await sleep(30);
    }
    const left = processesOf(this).map(({ pid, state, command }) => `${pid} ${state} ${command}`);
    throw new Error(`Processes do not die: ${left.join('; ')}`);
  }

  #ending(): string {
    return this.#daemon?.signalCode ?? `exit code ${this.#daemon?.exitCode}`;
  }

  #writeConfig(): void {
    if (this.#options.cni !== undefined)
      writeFileSync(join(this.directory, 'net.d/10-test.conflist'), JSON.stringify(this.#options.cni));
    const config = {
      root: this.root,
      state: this.state,
      cri: { listen: `unix://${this.socket}`, stream_listen: '127.0.0.1:0' },
      metrics: { listen: '127.0.0.1:9464' },
      runtime: {
        cgroup_driver: 'cgroupfs',
        cgroup_parent: `${this.cgroupParent}/own`,
        handlers: { faulty: { path: this.faults.program } },
      },
      image: {
        registry_config_dir: join(this.directory, 'certs.d'),
        auth_files: [join(this.directory, 'auth.json')],
      },
      network: {
        conf_dir: join(this.directory, 'net.d'),
        bin_dirs: ['/usr/lib/cni'],
        pod_cidr: '10.88.0.0/16',
      },
    };
    const handler = handlerUnderTest();
    const wanted = handler === undefined ? {} : { runtime: { default_handler: handler } };
    writeFileSync(this.configFile, stringify(merge(merge(config, wanted), this.#options.config ?? {})));
  }
}

/** The default handler of all nodes, where the gate wants another than the daemon would take (`--handler`). */
export function handlerUnderTest(): string | undefined {
  return process.env['BERTH_TEST_HANDLER'] || undefined;
}

/** Whether something accepts connections on a unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Makes a node and starts its daemon. When that fails, the node is removed again. */
export async function startNode(options: NodeOptions = {}): Promise<TestNode> {
  const node = await TestNode.make(options);
  try {
    await node.start();
    return node;
  } catch (error) {
    await node.destroy().catch(() => {}); // the first error says more
    throw error;
  }
}
