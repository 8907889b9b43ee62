import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { membersBelow, removeCgroups, thawBelow } from './node-space.ts';
import { killProcess, processOf } from './node-processes.ts';
import { ownDirectory } from './strays.ts';

/*
 * A systemd that is PID 1, for tests of the unit: the machine's own where there is one, else one in namespaces of its
 * own, which sees the machine's files through an overlay and leaves nothing behind.
 */

const REPOSITORY = join(import.meta.dirname, '..');
const START_LIMIT_MS = 60_000;

/** Units that the daemon's one leans on. All others of the machine stay out of the namespaces. */
const UNITS: Record<string, string> = {
  'default.target': '[Unit]\nDefaultDependencies=no\nRequires=systemd-journald.socket\n',
  ...Object.fromEntries(
    ['sysinit', 'basic', 'shutdown', 'multi-user', 'network-online', 'local-fs'].map((name) => [
      `${name}.target`,
      '[Unit]\nDefaultDependencies=no\n',
    ]),
  ),
  'systemd-journald.socket':
    '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/systemd/journal/stdout\n' +
    'ListenDatagram=/run/systemd/journal/socket\nSocketMode=0666\nReceiveBuffer=8M\nService=systemd-journald.service\n',
  'systemd-journald.service':
    '[Unit]\nDefaultDependencies=no\nRequires=systemd-journald.socket\n[Service]\nType=notify\n' +
    'ExecStart=/lib/systemd/systemd-journald\nSockets=systemd-journald.socket\nStandardOutput=null\n' +
    'FileDescriptorStoreMax=4224\nRestart=always\n',
};

/** The namespaces' own root: what is written there is gone with them. `$1` is the test's directory, `$2` the repository. */
const INSIDE = `set -e
  root=/mnt; mount -t tmpfs none $root; mkdir $root/up $root/work $root/root
  mount -t overlay -o lowerdir=/,upperdir=$root/up,workdir=$root/work overlay $root/root
  root=$root/root
  mkdir -p $root/mnt/proc; mount -t proc proc $root/mnt/proc
  mount -t proc proc $root/proc
  mount --bind $root/proc/sys $root/proc/sys; mount -o remount,bind,ro $root/proc/sys
  mount --bind $root/mnt/proc/sys/net $root/proc/sys/net; umount -l $root/mnt/proc
  mount -t sysfs -o ro sysfs $root/sys; mount -t tmpfs none $root/sys/fs/cgroup
  for tree in $3; do mkdir $root/sys/fs/cgroup/$tree; mount -t cgroup -o $tree cgroup $root/sys/fs/cgroup/$tree; done
  mkdir $root/sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup $root/sys/fs/cgroup/systemd
  for place in run tmp dev var/log lib/systemd/system lib/systemd/system-generators etc/systemd/system; do
    mount -t tmpfs -o mode=755 none $root/$place; done
  for node in null zero full random urandom tty; do touch $root/dev/$node; mount --bind /dev/$node $root/dev/$node; done
  mkdir $root/dev/shm; touch $root/dev/console; mount --bind $1/console $root/dev/console
  for place in $1 $2; do mkdir -p $root$place; mount --bind $place $root$place; done
  mount --bind $1/units $root/etc/systemd/system
  ip link set lo up
  mkdir -p $root/old; cd $root; pivot_root . old; umount -l /old
  exec env -i container=berth-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --log-target=journal --show-status=no \
    systemd.unified_cgroup_hierarchy=no systemd.legacy_systemd_cgroup_controller=yes`;

/** Enters the cgroups that PID 1 will see as the roots of all trees. */
const OUTSIDE = `set -e
  for tree in $3 systemd; do
    base=/sys/fs/cgroup/$tree; mkdir -p $base/$4
    if [ $tree = cpuset ]; then for f in cpuset.cpus cpuset.mems; do cat $base/$f > $base/$4/$f; done; fi
    echo $$ > $base/$4/cgroup.procs
  done
  exec unshare -m -p -f -u -i -n -C --propagation private --kill-child sh -c "$5" sh "$1" "$2" "$3"`;

/** A machine under systemd. */
export class SystemdMachine implements AsyncDisposable {
  /** Files that the machine and the test share. */
  readonly directory: string;
  /** Where units are put; the administrator's place. */
  readonly units: string;
  readonly #cgroup: string;
  readonly #holder: ChildProcess | undefined;
  #pid = 0;

  private constructor(directory: string, units: string, cgroup: string, holder?: ChildProcess) {
    this.directory = directory;
    this.units = units;
    this.#cgroup = cgroup;
    this.#holder = holder;
  }

  /** The machine's own systemd, or one in namespaces. Rejects with what it said when it does not come up. */
  static async open(): Promise<SystemdMachine> {
    const name = randomBytes(3).toString('hex');
    const directory = mkdtempSync(`/tmp/berth-${name}`);
    ownDirectory(directory);
    if (existsSync('/run/systemd/system')) return new SystemdMachine(directory, '/run/systemd/system', '');
    const units = join(directory, 'units');
    mkdirSync(units);
    for (const [unit, text] of Object.entries(UNITS)) writeFileSync(join(units, unit), text);
    writeFileSync(join(directory, 'console'), '');
    const trees = readFileSync('/proc/cgroups', 'utf8')
      .split('\n')
      .map((line) => line.split('\t')[0]!)
      .filter((tree) => existsSync(`/sys/fs/cgroup/${tree}/cgroup.procs`));
    const shared = [REPOSITORY, realpathSync(join(REPOSITORY, 'node_modules'))].join(' ');
    const cgroup = `berth-test-${name}`;
    const argv = ['-c', OUTSIDE, 'sh', directory, shared, trees.join(' '), cgroup, INSIDE];
    let complaint = '';
    const holder = spawn('sh', argv, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    holder.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
    const machine = new SystemdMachine(directory, units, `/${cgroup}`, holder);
    try {
      await machine.#up();
      return machine;
    } catch (error) {
      const console = readFileSync(join(directory, 'console'), 'utf8');
      await machine[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${complaint}${console}`, { cause: error });
    }
  }

  /** Runs a command on the machine. Rejects when it fails, with what it said. */
  run(argv: string[], timeout = 60_000): Promise<string> {
    const inside =
      this.#holder === undefined
        ? argv
        : ['nsenter', '-t', String(this.#pid), '-r', '-m', '-u', '-i', '-n', '-p', '-C', '--', ...argv];
    return new Promise((resolve, reject) => {
      execFile(inside[0]!, inside.slice(1), { timeout, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else
          reject(
            new Error(`${argv.join(' ')}: ${stderr.trim() || stdout.trim() || error.message}`, {
              cause: error,
            }),
          );
      });
    });
  }

  /** `systemctl …` */
  systemctl(...argv: string[]): Promise<string> {
    return this.run(['systemctl', ...argv]);
  }

  /** Some of a unit's properties. */
  async show(unit: string, ...names: string[]): Promise<Record<string, string>> {
    const text = await this.systemctl('show', unit, `--property=${names.join(',')}`);
    return Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** The entries of a unit in the journal, oldest first. */
  async journal(unit: string, ...more: string[]): Promise<Record<string, string>[]> {
    const text = await this.run(['journalctl', '-u', unit, '-o', 'json', '--no-pager', ...more]);
    return text
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, string>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder !== undefined) await this.#end(this.#holder);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async #up(): Promise<void> {
    for (const begun = performance.now(); performance.now() - begun < START_LIMIT_MS; await sleep(100)) {
      if (this.#holder!.exitCode !== null) throw new Error('The namespaces could not be made');
      const child = `/proc/${this.#holder!.pid}/task/${this.#holder!.pid}/children`;
      this.#pid = Number(readFileSync(child, 'utf8').trim().split(' ')[0]);
      if (this.#pid === 0) continue;
      try {
        await this.systemctl('is-active', 'default.target');
        return;
      } catch {
        continue; // it is not there yet
      }
    }
    throw new Error('systemd did not come up');
  }

  /** With its PID 1 every process of a PID namespace ends. */
  async #end(holder: ChildProcess): Promise<void> {
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    for (let tries = 0; tries < 100; tries++) {
      thawBelow(this.#cgroup);
      const members = membersBelow(this.#cgroup)
        .map(processOf)
        .filter((member) => member !== undefined);
      if (members.length === 0) break;
      members.forEach(killProcess);
      await sleep(50);
    }
    if (holder.exitCode === null && holder.signalCode === null) await ended;
    let left = removeCgroups(this.#cgroup);
    for (let tries = 0; tries < 100 && left.length > 0; tries++, left = removeCgroups(this.#cgroup))
      await sleep(50);
    if (left.length > 0) throw new Error(`Cgroups cannot be removed: ${left.join(', ')}`);
  }
}
