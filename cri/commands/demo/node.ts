import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { Fault } from '../../../ground/fault.ts';
import { sleep } from '../../../ground/wait.ts';
import type { ExitStatus, ExitWatcher } from '../../../native/exits.ts';
import { isErrno } from '../../../native/errno.ts';
import { mounts, umount } from '../../../native/mount.ts';
import { killProcess, processStartTime } from '../../../native/pidfd.ts';
import { SIG } from '../../../native/signals.ts';
import { devNullFd, spawn } from '../../../native/spawn.ts';
import { Client } from '../../client.ts';
import { cgroupsBelow, demoProcesses } from './leftovers.ts';

const METRICS = '127.0.0.1:9464';
const START_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 5_000;

/**
 * The throw-away node: a directory, a cgroup parent and a `berth serve` that works there. Destroying it ends the
 * daemon and all that a daemon that failed has left.
 */
export class DemoNode {
  readonly directory: string;
  /** Parent of the cgroups of the demo's pods. */
  readonly cgroup = `/berth-demo-${randomBytes(3).toString('hex')}`;
  readonly #exits: ExitWatcher;
  #daemon: { pid: number; startTime: bigint; ended: Promise<ExitStatus> } | undefined;
  #client: Client | undefined;

  constructor(directory: string, exits: ExitWatcher) {
    this.directory = directory;
    this.#exits = exits;
  }

  get client(): Client {
    this.#client ??= new Client(this.socket);
    return this.#client;
  }

  get socket(): string {
    return join(this.directory, 'state/berth.sock');
  }

  /** Starts `berth serve` and waits until it listens. Returns after how many milliseconds it did. */
  async start(signal: AbortSignal): Promise<number> {
    const begun = performance.now();
    const log = openSync(join(this.directory, 'daemon.log'), 'a');
    try {
      const self = [process.execPath, ...process.execArgv, process.argv[1]!];
      const argv = [...self, 'serve', '--config', this.#writeConfig()];
      const env = Object.entries(process.env).map(([key, value]) => `${key}=${value}`);
      const pid = spawn({
        path: process.execPath,
        argv,
        env,
        cwd: '/',
        fds: [devNullFd(), log, log],
        setsid: true,
      });
      this.#daemon = { pid, startTime: processStartTime(pid)!, ended: this.#exits.watch(pid) };
    } finally {
      closeSync(log);
    }
    let over = false;
    void this.#daemon.ended.then(() => (over = true));
    while (!existsSync(this.socket)) {
      if (over) throw new Fault('internal', `The daemon ended before it listened:\n${this.logTail()}`);
      if (performance.now() - begun > START_LIMIT_MS)
        throw new Fault(
          'deadline',
          `The daemon did not listen within ${START_LIMIT_MS} ms:\n${this.logTail()}`,
        );
      await delay(5);
      signal.throwIfAborted();
    }
    await this.client.call('Version', {}, { signal, deadlineMs: START_LIMIT_MS });
    return performance.now() - begun;
  }

  /** Asks the daemon to end (SIGTERM) and waits; then SIGKILL. Returns its exit code, undefined when it was killed. */
  async stop(): Promise<number | undefined> {
    this.#client?.close();
    this.#client = undefined;
    const daemon = this.#daemon;
    if (daemon === undefined) return undefined;
    this.#daemon = undefined;
    const patience = new AbortController();
    const late = sleep(STOP_LIMIT_MS, patience.signal).then(
      () => killProcess(daemon.pid, daemon.startTime, SIG.SIGKILL),
      () => false, // it has ended in time
    );
    killProcess(daemon.pid, daemon.startTime, SIG.SIGTERM);
    const { code } = await daemon.ended;
    patience.abort();
    await late;
    return code;
  }

  /** The directory for the logs of pod `name`; it is made. */
  logDirectory(name: string): string {
    const path = join(this.directory, 'logs', name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** The end of what the daemon wrote. */
  logTail(): string {
    return readFileSync(join(this.directory, 'daemon.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-15)
      .join('\n');
  }

  /** The daemon's metrics page. */
  metrics(signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = get(`http://${METRICS}/metrics`, { signal }, (response) => {
        let page = '';
        response.setEncoding('utf8').on('data', (text: string) => (page += text));
        response.on('end', () => resolve(page));
        response.on('error', reject);
      });
      call.on('error', reject);
    });
  }

  /** Takes away all there is of the node, also after a failure. */
  async destroy(): Promise<void> {
    await this.stop();
    for (let tries = 0; tries < 100; tries++) {
      const left = demoProcesses(this.cgroup);
      if (left.length === 0) break;
      for (const pid of left) {
        const startTime = processStartTime(pid);
        if (startTime !== undefined) killProcess(pid, startTime, SIG.SIGKILL);
      }
      await delay(20);
    }
    for (const target of this.#mounts().reverse()) umount(target);
    if (this.#mounts().length === 0) rmSync(this.directory, { recursive: true, force: true });
    for (const cgroup of cgroupsBelow(this.cgroup)) removeCgroup(cgroup);
  }

  /** Mount points in the node's directory, in the order of their making. */
  #mounts(): string[] {
    const all = mounts().map(({ target }) => target);
    return all.filter((target) => target.startsWith(`${this.directory}/`));
  }

  #writeConfig(): string {
    for (const name of ['net.d', 'certs.d']) mkdirSync(join(this.directory, name), { recursive: true });
    const file = join(this.directory, 'berth.toml');
    const config = {
      root: join(this.directory, 'root'),
      state: join(this.directory, 'state'),
      cri: { listen: `unix://${this.socket}`, stream_listen: '127.0.0.1:0' },
      metrics: { listen: METRICS },
      runtime: { cgroup_driver: 'cgroupfs', cgroup_parent: this.cgroup },
      image: { registry_config_dir: join(this.directory, 'certs.d') },
      network: { conf_dir: join(this.directory, 'net.d'), pod_cidr: '10.85.0.0/24' },
    };
    writeFileSync(file, stringify(config));
    return file;
  }
}

function removeCgroup(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    // Busy: a process in it is still dying, and the demo says so at its end.
    if (!isErrno(error, 'EBUSY', 'ENOENT')) throw error;
  }
}
