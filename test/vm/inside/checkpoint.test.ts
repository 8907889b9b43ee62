import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  containerConfig,
  createContainer,
  eventually,
  readLog,
  runPod,
  runSandbox,
  shell,
  statusOf,
  waitForExit,
  type ContainerConfig,
} from '../../pods.ts';
import type { NewEntry } from '../../../image/tar/writer.ts';
import { ImageLibrary } from '../../image-library.ts';
import { startRegistry } from '../../registry.ts';
import { ServiceNode } from './service-node.ts';

/** Counts in its memory, changes files of its image and of its own, and ends when it is told to. */
const COUNTER = [
  'sh',
  '-c',
  `rm /etc/group; rm -r /home; mkdir /home; echo changed > /home/new
  exec 5> /tmp/open
  trap 'echo told; exit 7' TERM
  i=0; while :; do i=$((i+1)); echo $i; echo $i > /tmp/n; echo $i >&5; sleep 1; done`,
];

describe('CheckpointContainer where criu works', () => {
  let node: ServiceNode;
  let directory: string;
  let location: string;
  before(async () => {
    directory = mkdtempSync('/var/tmp/berth-checkpoint-');
    location = join(directory, 'archive.tar');
    node = await ServiceNode.start('systemd');
  });
  afterEach(() => node.clear());
  after(async () => {
    await node.stop();
    rmSync(directory, { recursive: true });
  });

  const count = async (container: string): Promise<number> =>
    Number(await shell(node, container, 'cat /tmp/n || echo 0'));

  /** A pod of its own with the counter, checkpointed at `location`, and gone. How far it had counted at most. */
  async function checkpointed(changes: ContainerConfig = {}): Promise<number> {
    const pod = await node.pod('before');
    const { container, sandbox } = await runPod(node, 'before', COUNTER, {
      handler: 'runc',
      pod,
      container: changes,
    });
    await eventually('it counts', 60_000, async () => ((await count(container)) >= 3 ? true : undefined));
    await node.client.call('CheckpointContainer', { containerId: container, location, timeout: 300n });
    const reached = await count(container);
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
    return reached;
  }

  /** Another pod with a container that is to be restored. */
  async function toRestore(name: string, changes: ContainerConfig = {}): Promise<string> {
    const pod = await node.pod(name);
    const sandbox = await runSandbox(node, pod, 'runc');
    const config = { ...containerConfig(name, []), image: { image: location }, ...changes };
    return createContainer(sandbox, node, config, pod);
  }

  it('writes the archive that the peers write, and the container runs on', async () => {
    const pod = await node.pod('checkpointed');
    const { container } = await runPod(node, 'checkpointed', COUNTER, { handler: 'runc', pod });
    await node.client.call('CheckpointContainer', { containerId: container, location, timeout: 300n });
    assert.equal(statSync(location).mode & 0o777, 0o600);
    const names = execFileSync('tar', ['-tf', location], { encoding: 'utf8' }).split('\n');
    for (const name of [
      'config.dump',
      'spec.dump',
      'rootfs-diff.tar',
      'dump.log',
      'checkpoint/inventory.img',
    ])
      assert.ok(names.includes(`./${name}`), name);
    execFileSync('tar', ['-C', directory, '-xf', location, './config.dump', './rootfs-diff.tar']);
    const config = JSON.parse(readFileSync(join(directory, 'config.dump'), 'utf8')) as { id: string };
    assert.equal(config.id, container);
    const changed = execFileSync('tar', ['-tf', join(directory, 'rootfs-diff.tar')], { encoding: 'utf8' });
    assert.match(changed, /^\.\/tmp\/n$/m);
    assert.equal((await statusOf(node, container)).state, 1);
    assert.match(
      await shell(node, container, 'a=$(cat /tmp/n); sleep 3; [ $(cat /tmp/n) -gt $a ] && echo lives'),
      /lives/,
    );
  });

  it('restores it into another pod, where it goes on as if nothing had been', async () => {
    const reached = await checkpointed();
    const container = await toRestore('after');
    const created = await statusOf(node, container);
    assert.deepEqual([created.state, created.image?.image], [0, location]);
    assert.match(created.imageRef, /busybox@sha256:/);
    await node.client.call('StartContainer', { containerId: container });
    const status = await statusOf(node, container);
    assert.equal(status.state, 1);
    await eventually('it counts on', 60_000, async () =>
      (await count(container)) > reached ? true : undefined,
    );
    // Files: what it changed is there, what it deleted is gone, what lay below a directory that it replaced as well.
    assert.equal(
      await shell(node, container, 'ls /home; cat /home/new; ls -d /etc/group /etc/passwd; true'),
      'new\nchanged\n/etc/passwd\n',
    );
    // It lives in the pod that it was restored into.
    assert.equal(await shell(node, container, 'hostname'), 'after\n');
    const pid = infoOf(await verbose(container)).pid;
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().slice('0::'.length);
    assert.equal(`/sys/fs/cgroup${cgroup}`, await node.cgroup(container));
    assert.equal(await shell(node, container, 'cat /proc/1/cgroup'), '0::/\n');
    // What it counts stands in its new log, and goes on from where it was.
    const lines = readLog(status.logPath).map(({ content }) => Number(content));
    assert.ok(lines.length > 0 && lines[0]! > 1, lines.join(' '));
    assert.deepEqual(
      lines,
      [...lines.keys()].map((i) => i + lines[0]!),
      'no number is missing',
    );
    // The images of criu are gone by now.
    assert.equal(existsSync(join('/var/lib/berth/snapshots', container, 'scratch/restore')), false);
    await node.client.call('StopContainer', { containerId: container, timeout: 30n });
    const ended = await waitForExit(node, container);
    assert.deepEqual([ended.exitCode, ended.reason], [7, 'Error']);
    assert.equal(readLog(status.logPath).at(-1)!.content, 'told');
  });

  it('restores a terminal', async () => {
    const reached = await checkpointed({ tty: true });
    const container = await toRestore('terminal', { tty: true });
    await node.client.call('StartContainer', { containerId: container });
    await eventually('it counts on', 60_000, async () =>
      (await count(container)) > reached ? true : undefined,
    );
    const { logPath } = await statusOf(node, container);
    await eventually('its log has it', 60_000, () =>
      readLog(logPath).some(({ content }) => Number.parseInt(content) > reached) ? true : undefined,
    );
    await node.client.call('StopContainer', { containerId: container, timeout: 30n });
    assert.equal((await waitForExit(node, container)).exitCode, 7);
  });

  it('follows a restored container over a restart of the daemon, and one that still waits', async () => {
    await checkpointed();
    const [running, waiting] = [await toRestore('running'), await toRestore('waiting')];
    await node.client.call('StartContainer', { containerId: running });
    execFileSync('systemctl', ['restart', 'berth']);
    assert.deepEqual([(await statusOf(node, running)).state, (await statusOf(node, waiting)).state], [1, 0]);
    const before = await count(running);
    await node.client.call('StartContainer', { containerId: waiting });
    await eventually('both count', 60_000, async () =>
      (await count(running)) > before && (await count(waiting)) > 3 ? true : undefined,
    );
    await node.client.call('StopContainer', { containerId: running, timeout: 30n });
    assert.equal((await waitForExit(node, running)).exitCode, 7);
  });

  it('takes away what a daemon that dies was restoring', async () => {
    await checkpointed();
    const container = await toRestore('killed');
    const start = node.client.call('StartContainer', { containerId: container });
    const failed = assert.rejects(start, { code: 'UNAVAILABLE' });
    await eventually('criu is at it', 60_000, async () =>
      readdirSync('/proc').some((pid) => commandOf(pid).startsWith('criu\0swrk')) ? true : undefined,
    );
    execFileSync('systemctl', ['kill', '--kill-whom=main', '--signal=KILL', 'berth']);
    await failed;
    const ended = await eventually('the daemon is back', 300_000, async () => {
      const status = await statusOf(node, container).catch(() => undefined);
      return status?.state === 2 ? status : undefined;
    });
    assert.deepEqual([ended.exitCode, ended.reason], [128, 'StartError']);
    await eventually('nothing of it lives', 60_000, async () =>
      readdirSync('/proc').some((pid) => commandOf(pid).includes(container)) ? undefined : true,
    );
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /criu-root/);
    await node.client.call('RemoveContainer', { containerId: container });
  });

  it('refuses what the process in the checkpoint is not', async () => {
    await checkpointed();
    const refused = (changes: ContainerConfig, words: RegExp): Promise<void> =>
      assert.rejects(toRestore('refused', changes), { code: 'FAILED_PRECONDITION', message: words });
    await refused(
      {
        linux: {
          securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 }, runAsUser: { value: 1000n } },
        },
      },
      /runs as user 0:0/,
    );
    await refused(
      { mounts: [{ containerPath: '/data', hostPath: directory }] },
      /does not have mounts .*\/data/,
    );
    await refused({ tty: true }, /terminal/);
  });

  it('says in the words of criu why it cannot be restored', async () => {
    await checkpointed();
    execFileSync('tar', ['-C', directory, '-xf', location, './rootfs-diff.tar']);
    execFileSync('sh', ['-c', `cd ${directory} && tar --delete -f rootfs-diff.tar ./tmp/open`]);
    execFileSync('tar', ['-C', directory, '--delete', '-f', location, './rootfs-diff.tar']);
    execFileSync('tar', ['-C', directory, '-rf', location, './rootfs-diff.tar']);
    const container = await toRestore('damaged');
    await assert.rejects(node.client.call('StartContainer', { containerId: container }), {
      code: 'INTERNAL',
      message: /runc restore failed.*tmp\/open/s,
    });
    const ended = await statusOf(node, container);
    assert.deepEqual([ended.state, ended.exitCode, ended.reason], [2, 128, 'StartError']);
    assert.match(ended.message, /tmp\/open/);
  });

  it('restores it from an image as well, where that is allowed', async () => {
    const reached = await checkpointed();
    node.client.close();
    node = await ServiceNode.start('cgroupfs', { runtime: { checkpoint_images: 'on' } });
    const image = await imageOf(location);
    const container = await toRestore('image', { image: { image } });
    await node.client.call('StartContainer', { containerId: container });
    await eventually('it counts on', 60_000, async () =>
      (await count(container)) > reached ? true : undefined,
    );
    const { pid } = infoOf(await verbose(container));
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().slice('0::'.length);
    assert.equal(`/sys/fs/cgroup${cgroup}`, await node.cgroup(container));
    await node.client.call('StopContainer', { containerId: container, timeout: 30n });
    assert.equal((await waitForExit(node, container)).exitCode, 7);
  });

  /** Pulls an image that has the files of an archive in its one layer, as the peers' documents make it. */
  async function imageOf(archive: string): Promise<string> {
    const files: NewEntry[] = [];
    for (const path of execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).trim().split('\n'))
      if (!path.endsWith('/'))
        files.push({ path, content: execFileSync('tar', ['-xOf', archive, path], { maxBuffer: 1 << 30 }) });
    const library = await ImageLibrary.open();
    try {
      const annotations = { 'org.criu.checkpoint.container.name': 'before' };
      await library.push('checkpoint:1', { layers: [{ files }], annotations });
      const registry = await startRegistry({ store: library.store, port: 5000 });
      try {
        const image = `${ImageLibrary.address}/checkpoint:1`;
        await node.client.call('PullImage', { image: { image } });
        return image;
      } finally {
        await registry.stop();
      }
    } finally {
      await library.close();
    }
  }

  async function verbose(containerId: string): Promise<Record<string, string>> {
    return (await node.client.call('ContainerStatus', { containerId, verbose: true })).info;
  }
});

function infoOf(info: Record<string, string>): { pid: number } {
  return { pid: JSON.parse(info['pid']!) as number };
}

function commandOf(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'latin1') : '';
  } catch {
    return ''; // It has ended.
  }
}
