import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'smol-toml';
import { Client } from '../../../cri/client.ts';
import { busyboxImage } from '../../image-builder.ts';
import { ImageLibrary } from '../../image-library.ts';
import { BUSYBOX, eventually, podConfig, removeAllPods, type PodConfig } from '../../pods.ts';
import { makePodCgroup } from '../../pod-cgroups.ts';
import { startRegistry } from '../../registry.ts';

/*
 * The machine itself as a node: the daemon under systemd, by the unit that a package installs.
 */

const REPOSITORY = join(import.meta.dirname, '../../..');
const SOCKET = '/run/berth/berth.sock';
const UNIT = '/etc/systemd/system/berth.service';
const DROP_INS = '/etc/berth/berth.toml.d';

export type Driver = 'systemd' | 'cgroupfs';

const run = promisify(execFile);

/** Runs a shell command of this machine; rejects with what it wrote when it fails. */
export async function sh(command: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', command], { maxBuffer: 64 << 20 });
  return stdout;
}

/** Puts program, unit and configuration where a package puts them. The daemon is not started. */
export async function installService(): Promise<void> {
  mkdirSync(DROP_INS, { recursive: true });
  mkdirSync('/var/log/pods', { recursive: true });
  if (!existsSync('/usr/local/bin/berth'))
    symlinkSync(join(REPOSITORY, 'release/bin/berth'), '/usr/local/bin/berth');
  const ours = { network: { pod_cidr: '10.90.0.0/24' } };
  writeFileSync(join(DROP_INS, '10-lane.toml'), stringify(ours));
  const unit = readFileSync(join(REPOSITORY, 'deploy/systemd/berth.service'), 'utf8');
  if (existsSync(UNIT) && readFileSync(UNIT, 'utf8') === unit) return;
  writeFileSync(UNIT, unit);
  await sh('systemctl daemon-reload && systemctl enable --quiet berth');
}

/** What a test has in hand: the CRI of the daemon that systemd runs, and the kubelet's part of a pod. */
export class ServiceNode {
  readonly logs = '/var/log/pods';
  readonly cgroupParent = '/berth-lane';
  readonly client = new Client(SOCKET);
  readonly driver: Driver;

  private constructor(driver: Driver) {
    this.driver = driver;
  }

  /** The node as it is, with a daemon that somebody has started. */
  static running(driver: Driver): ServiceNode {
    return new ServiceNode(driver);
  }

  /** Restarts the daemon with these settings and gives it the busybox image. */
  static async start(driver: Driver, config: Record<string, unknown> = {}): Promise<ServiceNode> {
    await installService();
    const { runtime, ...rest } = config as { runtime?: object };
    const text = stringify({ ...rest, runtime: { cgroup_driver: driver, ...runtime } });
    writeFileSync(join(DROP_INS, '50-test.toml'), text);
    await sh('systemctl restart berth');
    const node = new ServiceNode(driver);
    await node.haveImage();
    return node;
  }

  /** Pulls the busybox image unless it is there. */
  async haveImage(): Promise<void> {
    const { image } = await this.client.call('ImageStatus', { image: { image: BUSYBOX } });
    if (image !== null) return;
    // A machine may have a registry of its own.
    if ((await fetch(`http://${ImageLibrary.address}/v2/`).catch(() => undefined))?.ok === true) {
      await this.client.call('PullImage', { image: { image: BUSYBOX } });
      return;
    }
    const library = await ImageLibrary.open();
    try {
      await library.push('busybox:1', busyboxImage());
      const registry = await startRegistry({ store: library.store, port: 5000 });
      try {
        await this.client.call('PullImage', { image: { image: BUSYBOX } });
      } finally {
        await registry.stop();
      }
    } finally {
      await library.close();
    }
  }

  /** A pod's configuration as a kubelet with this driver words it; its cgroup is made as the kubelet makes it. */
  async pod(name: string, changes: PodConfig = {}): Promise<PodConfig> {
    const uid = randomUUID();
    const cgroupParent =
      this.driver === 'cgroupfs'
        ? `/kubepods/burstable/pod${uid}`
        : `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`;
    if (this.driver === 'cgroupfs') makePodCgroup(cgroupParent);
    else await makeSlice(cgroupParent);
    const { linux, ...rest } = changes;
    return podConfig(this, name, { ...rest, linux: { cgroupParent, ...linux } });
  }

  /** Directory of a container's cgroup. */
  async cgroup(containerId: string): Promise<string> {
    const { info } = await this.client.call('ContainerStatus', { containerId, verbose: true });
    return join('/sys/fs/cgroup', JSON.parse(info['cgroup']!) as string);
  }

  /** Removes all pods, then the cgroups that the kubelet's part had made. */
  async clear(): Promise<void> {
    await removeAllPods(this);
    if (this.driver === 'systemd') await sh("systemctl stop 'kubepods-burstable-pod*.slice'");
    const left = (): string[] =>
      ['/sys/fs/cgroup/kubepods', '/sys/fs/cgroup/kubepods.slice'].filter((top) => existsSync(top));
    for (const top of left()) await sh(`find ${top} -depth -mindepth 1 -type d -exec rmdir {} +`);
  }

  /** Stops the daemon and closes the connection. */
  async stop(): Promise<void> {
    await this.clear();
    this.client.close();
    rmSync(join(DROP_INS, '50-test.toml'), { force: true });
    await sh('systemctl stop berth');
  }
}

/** A slice with the accounting that the kubelet asks for (its cgroup manager's StartTransientUnit). */
async function makeSlice(name: string): Promise<void> {
  const accounting = ['CPUAccounting', 'MemoryAccounting', 'IOAccounting', 'TasksAccounting'];
  const properties = ['DefaultDependencies', ...accounting].flatMap((key) => [
    key,
    'b',
    key === 'DefaultDependencies' ? 'false' : 'true',
  ]);
  const manager = [
    'org.freedesktop.systemd1',
    '/org/freedesktop/systemd1',
    'org.freedesktop.systemd1.Manager',
  ];
  const call = ['StartTransientUnit', 'ssa(sv)a(sa(sv))', name, 'replace', '5', ...properties, '0'];
  await run('busctl', ['call', '--quiet', ...manager, ...call]);
  await eventually(`${name} is there`, 10_000, async () =>
    (await sh(`systemctl is-active ${name} || true`)).trim() === 'active' ? true : undefined,
  );
}
