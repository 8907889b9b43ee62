import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupHierarchies, membersBelow, removeCgroups } from './node-space.ts';
import { ownDirectory } from './strays.ts';
import { freeUnmountedTrees } from './unmounted-trees.ts';

const BOOT_LIMIT_MS = 30_000;
/** Directories of units that a start of the whole machine would pull in. */
const WANTS = ['sysinit', 'sockets', 'timers', 'local-fs', 'basic', 'multi-user', 'network-online', 'paths'];

export interface CommandResult {
  code: number;
  output: string;
}

/**
 * A node with a systemd of its own as process 1: PID, mount, network and cgroup namespaces, this machine's `/` as its
 * root below an overlay. The machine sees nothing of what happens there.
 */
export class SystemdHost {
  readonly directory: string;
  readonly #cgroup: string;
  #init: ChildProcess | undefined;
  #pid = 0;

  private constructor(directory: string, cgroup: string) {
    this.directory = directory;
    this.#cgroup = cgroup;
  }

  /** Boots; resolves when systemctl answers. */
  static async boot(): Promise<SystemdHost> {
    const name = randomBytes(3).toString('hex');
    const host = new SystemdHost(mkdtempSync(`/tmp/berth-${name}`), `/berth-test-${name}`);
    ownDirectory(host.directory);
    try {
      await host.#boot();
      return host;
    } catch (error) {
      await host.destroy();
      throw error;
    }
  }

  async #boot(): Promise<void> {
    const { directory } = this;
    for (const part of ['upper', 'work', 'root', 'var-lib']) mkdirSync(join(directory, part));
    const cgroups = cgroupHierarchies().map((hierarchy) => join(hierarchy, this.#cgroup, 'host'));
    for (const cgroup of cgroups) {
      mkdirSync(cgroup, { recursive: true });
      if (cgroup.includes('/cpuset/')) fillCpuset(cgroup);
    }
    const script = `set -e
      R=${directory}/root
      mount -t overlay -o lowerdir=/,upperdir=${directory}/upper,workdir=${directory}/work overlay $R
      mount -t proc proc $R/proc
      mount -t sysfs sysfs $R/sys
      mount -t tmpfs -o mode=755 cgroup $R/sys/fs/cgroup
      mkdir $R/sys/fs/cgroup/systemd
      mount -t cgroup -o none,name=systemd cgroup $R/sys/fs/cgroup/systemd
      # One by one, as this machine has them: systemd would join some.
      for controller in ${cgroupHierarchies()
        .map((path) => basename(path))
        .filter((name) => !/^(systemd|unified)$/.test(name))
        .join(' ')}; do
        mkdir $R/sys/fs/cgroup/$controller
        mount -t cgroup -o $controller cgroup $R/sys/fs/cgroup/$controller
      done
      mount --rbind /dev $R/dev
      mount -t tmpfs -o mode=755 run $R/run
      mount --bind ${directory}/var-lib $R/var/lib
      for target in ${WANTS.join(' ')}; do
        mkdir -p $R/usr/lib/systemd/system/$target.target.wants $R/etc/systemd/system/$target.target.wants
        mount -t tmpfs none $R/usr/lib/systemd/system/$target.target.wants
        mount -t tmpfs none $R/etc/systemd/system/$target.target.wants
      done
      for unit in systemd-journald.service systemd-journald.socket modprobe@.service systemd-udevd.service; do
        ln -sf /dev/null $R/etc/systemd/system/$unit
      done
      mkdir -p $R/etc/systemd/system/berth.service.d
      printf '%s\\n' '[Service]' OOMScoreAdjust=0 LimitNOFILE=65536 LimitNPROC= LimitCORE= \\
        StandardOutput=append:/run/daemon.log StandardError=append:/run/daemon.log \\
        'Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin' > $R/etc/systemd/system/berth.service.d/90-test.conf
      printf '%s\\n' '[Unit]' DefaultDependencies=no > $R/etc/systemd/system/test.target
      cd $R; mkdir -p old; pivot_root . old; umount -l /old; rmdir /old
      ip link set lo up
      exec env -i container=berth-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \\
        --unit=test.target --log-target=console --show-status=no \\
        systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1`;
    writeFileSync(join(directory, 'boot.sh'), script);
    const enter = cgroups.map((cgroup) => `echo $$ > ${cgroup}/cgroup.procs`).join('; ');
    const namespaces = [
      '-m',
      '-p',
      '-n',
      '-u',
      '-i',
      '-C',
      '--fork',
      '--kill-child',
      '--propagation',
      'private',
    ];
    const argv = ['-c', `${enter}; exec unshare ${namespaces.join(' ')} sh ${directory}/boot.sh`];
    const init = spawn('sh', argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, BERTH_TEST_NODE: `${directory}/` },
    });
    this.#init = init;
    let log = '';
    for (const stream of [init.stdout, init.stderr])
      stream.on('data', (data: Buffer) => (log += data.toString()));
    const begun = performance.now();
    for (;;) {
      this.#pid = childOf(init.pid!) ?? 0;
      if (this.#pid !== 0 && (await this.run(['systemctl', 'is-system-running', '--quiet'])).code === 0)
        return;
      if (init.exitCode !== null || performance.now() - begun > BOOT_LIMIT_MS)
        throw new Error(`systemd does not boot here: ${log}`);
      await sleep(100);
    }
  }

  /** Process 1 of the node, as this machine numbers it. */
  get pid(): number {
    return this.#pid;
  }

  /** Where a path of the node is for this process. */
  at(path: string): string {
    return join(`/proc/${this.#pid}/root`, path);
  }

  /** The command line that runs `argv` as from a shell on the node. */
  inside(argv: string[]): string[] {
    return ['nsenter', '-t', String(this.#pid), '-a', '--', ...argv];
  }

  run(argv: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    return execute(this.inside(argv), env);
  }

  /**
   * Runs `argv` as a container of a pod with hostPID and hostNetwork does: the node's processes and network, a mount
   * namespace of its own, and the node's `/` mounted at `host`.
   */
  runInPod(argv: string[], env: Record<string, string> = {}): Promise<CommandResult> {
    const script = `mount --rbind / ${this.host} && exec "$@"`;
    return this.run(['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...argv], env);
  }

  /** Where `runInPod` mounts the node's `/`. */
  readonly host = '/mnt';

  /** Ends all and removes all. */
  async destroy(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const members = membersBelow(this.#cgroup);
      if (members.length === 0) break;
      for (const pid of members) kill(pid);
      await sleep(50);
    }
    this.#init?.stdout?.destroy();
    this.#init?.stderr?.destroy();
    const left = removeCgroups(this.#cgroup);
    // It mounted every controller, also those that this machine does not.
    freeUnmountedTrees();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    if (left.length > 0) throw new Error(`Cgroups cannot be removed: ${left.join(', ')}`);
  }
}

function execute([file, ...argv]: string[], env: Record<string, string>): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      file!,
      argv,
      { env: { ...process.env, ...env }, timeout: 120_000, maxBuffer: 16 << 20 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
        resolve({ code, output: stdout + stderr });
      },
    );
  });
}

function childOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]) || undefined;
  } catch {
    return undefined; // it has ended
  }
}

/** A new cgroup of the v1 cpuset controller takes nobody before it has processors and memory. */
function fillCpuset(cgroup: string): void {
  for (const directory of [join(cgroup, '..'), cgroup])
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      writeFileSync(join(directory, file), readFileSync(join(directory, '../', file)));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
