import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { Client } from '../../cri/client.ts';
import { treeDigest } from '../../deploy/node/release.ts';
import { withdrawing, type Template } from '../../deploy/node/withdraw.ts';
import { helm } from '../helm.ts';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { layRelease, REPOSITORY } from '../node-release.ts';
import { BUSYBOX } from '../pods.ts';
import { startRegistry, type Registry } from '../registry.ts';
import { SystemdHost, type CommandResult } from '../systemd-host.ts';

/*
 * The chart at work: what helm makes is taken, and the command lines of the DaemonSet's containers are really run, as a
 * pod's container would run them, on a node with a systemd of its own.
 */

const SETTINGS = {
  config: { network: { pod_cidr: '10.77.0.0/24' }, runtime: { cgroup_driver: 'cgroupfs' } },
  crictl: true,
  wait: { seconds: 40 },
};

interface Container {
  name: string;
  args: string[];
}
interface DaemonSet {
  kind: string;
  spec: { template: Template & { spec: { initContainers: Container[] } } };
}

describe('the chart on a node with systemd', function () {
  this.timeout(120_000);
  let host: SystemdHost;
  let library: ImageLibrary;
  let registry: Registry;
  let untouched: Map<string, string>;
  let template: Template;

  before(async () => {
    host = await SystemdHost.boot();
    library = await ImageLibrary.open();
    await library.push('busybox:1', busyboxImage());
    registry = await startRegistry({
      store: library.store,
      port: 5000,
      inside: (argv) => ['nsenter', '-t', String(host.pid), '-n', '--', ...argv],
    });
    mkdirSync(host.at('/opt/cni/bin'), { recursive: true });
    mkdirSync(host.at('/etc/berth/berth.toml.d'), { recursive: true });
    writeFileSync(host.at('/opt/cni/bin/bridge'), 'a bridge of others', { mode: 0o755 });
    writeFileSync(host.at('/etc/crictl.yaml'), 'runtime-endpoint: unix:///run/containerd/containerd.sock\n');
    writeFileSync(host.at('/etc/berth/berth.toml.d/90-own.toml'), '[log]\nformat = "text"\n');
    template = await chartTemplate();
  });
  after(async () => {
    await registry?.stop();
    await library?.close();
    await host?.destroy();
  });

  /** The pod template of the DaemonSet; its settings lie where the ConfigMap would. */
  async function chartTemplate(): Promise<Template> {
    const values = join(host.directory, 'values.json');
    writeFileSync(values, JSON.stringify(SETTINGS));
    const chart = join(REPOSITORY, 'deploy/chart');
    const { code, stdout, stderr } = await helm(
      'template',
      'berth',
      chart,
      '-n',
      'berth-system',
      '-f',
      values,
    );
    assert.equal(code, 0, stderr);
    const all = loadAll(stdout) as (DaemonSet & { data?: Record<string, string> })[];
    const { data } = all.find(({ kind }) => kind === 'ConfigMap')!;
    writeFileSync(host.at('/srv/settings.json'), data!['settings.json']!);
    return all.find(({ kind }) => kind === 'DaemonSet')!.spec.template;
  }

  const release = (name: string, serve?: string): string => layRelease(host, name, serve);

  /** Runs the init container of a template, from the image of a release. */
  function initContainer(
    pod: Template,
    from: string,
    env: Record<string, string> = {},
  ): Promise<CommandResult> {
    const [{ args }] = pod.spec.initContainers as unknown as [Container];
    const argv = args.map((arg) => (arg === '/host' ? host.host : arg.replace('/settings/', '/srv/')));
    const more = argv[1] === 'install' ? ['--from', from] : [];
    return host.runInPod([join(REPOSITORY, 'bin/berth'), ...argv, ...more], env);
  }

  const install = (from: string, env?: Record<string, string>): Promise<CommandResult> =>
    initContainer(template, from, env);

  async function well(result: Promise<CommandResult>): Promise<string> {
    const { code, output } = await result;
    assert.equal(code, 0, `${output}\n${daemonLog()}`);
    return output;
  }

  function daemonLog(): string {
    try {
      return readFileSync(host.at('/run/daemon.log'), 'utf8').split('\n').slice(-15).join('\n');
    } catch {
      return ''; // no daemon was ever started
    }
  }

  /** What a person would find on the node: kinds, modes and contents. */
  function pictureOf(): Map<string, string> {
    const found = new Map<string, string>();
    const visit = (path: string): void => {
      const place = host.at(path);
      const about = lstatSync(place);
      const mode = about.mode.toString(8);
      if (about.isSymbolicLink()) found.set(path, readlinkSync(place));
      else if (about.isFile())
        found.set(path, `${mode} ${createHash('sha256').update(readFileSync(place)).digest('hex')}`);
      else found.set(path, mode);
      if (about.isDirectory()) for (const name of readdirSync(place)) visit(`${path}/${name}`);
    };
    for (const path of ['/etc', '/opt/cni', '/var/lib']) visit(path);
    // Of these the machine has much that is not the installer's: their names.
    for (const path of ['/opt', '/run', '/var/cache'])
      for (const name of readdirSync(host.at(path))) found.set(`${path}/${name}`, '');
    // The test's own, and what the OCI runtimes keep for all of their callers until the next boot.
    for (const name of ['daemon.log', 'crun', 'runc', 'xtables.lock']) found.delete(`/run/${name}`);
    return found;
  }

  function cri(): Client {
    return new Client(host.at('/run/berth/berth.sock'));
  }

  async function startPod(name: string): Promise<{ podSandboxId: string; containerId: string }> {
    using client = cri();
    await client.call('PullImage', { image: { image: BUSYBOX } });
    const sandboxConfig = {
      metadata: { name, uid: name, namespace: 'default', attempt: 0 },
      logDirectory: '',
      linux: {},
    };
    const { podSandboxId } = await client.call('RunPodSandbox', { config: sandboxConfig });
    const config = {
      metadata: { name: 'main', attempt: 0 },
      image: { image: BUSYBOX },
      command: ['sleep', '1000'],
      linux: {},
    };
    const { containerId } = await client.call('CreateContainer', { podSandboxId, config, sandboxConfig });
    await client.call('StartContainer', { containerId });
    return { podSandboxId, containerId };
  }

  async function stateOf(containerId: string): Promise<{ state: number; pid: number }> {
    using client = cri();
    const { status, info } = await client.call('ContainerStatus', { containerId, verbose: true });
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
    return { state: status!.state, pid };
  }

  const daemonPid = async (): Promise<string> =>
    (await host.run(['systemctl', 'show', '-P', 'MainPID', 'berth'])).output.trim();

  let pod: { podSandboxId: string; containerId: string };
  let running: { state: number; pid: number };

  it('installs a release that serves, and starts a pod on it', async () => {
    untouched = pictureOf();
    const said = await well(install(release('one')));
    assert.match(said, /plugins of others, which stay: bridge/);
    assert.match(said, /installed: .* serves on \/run\/berth\/berth\.sock/);
    assert.equal((await host.run(['systemctl', 'is-enabled', 'berth'])).output.trim(), 'enabled');
    pod = await startPod('web');
    running = await stateOf(pod.containerId);
    assert.equal(running.state, 1);
    assert.match(
      await well(host.run(['/opt/berth/current/bin/berth', 'node', 'status'])),
      /daemon {4}serves/,
    );
    const plugin = host.run(['sh', '-c', 'CNI_COMMAND=VERSION /opt/cni/bin/portmap </dev/null; true']);
    assert.match((await plugin).output, /cniVersion|supportedVersions/);
  });

  it('does nothing when all is as it should be', async () => {
    const pid = await daemonPid();
    assert.match(await well(install('/srv/one')), /unchanged/);
    assert.equal(await daemonPid(), pid);
  });

  it('upgrades in place, also when it is killed on the way, and pods go on', async () => {
    const two = release('two');
    for (const change of ['rename ', 'link /opt/berth/current', 'systemctl restart berth.service']) {
      const at = change === 'rename ' ? `rename ${releaseOf(two)}` : change;
      const { code } = await install(two, { BERTH_CRASH_AT: `Node:${at}` });
      assert.notEqual(code, 0, `killed before: ${at}`);
    }
    const pid = await daemonPid();
    assert.match(await well(install(two)), /upgraded/);
    assert.notEqual(await daemonPid(), pid);
    assert.deepEqual(await stateOf(pod.containerId), running);
  });

  /** Where the second build of this version lies. */
  function releaseOf(directory: string): string {
    const current = readlinkSync(host.at('/opt/berth/current')).replace('releases/', '');
    return `/opt/berth/releases/${current}+${treeDigest(host.at(directory)).slice(0, 12)}`;
  }

  it('rolls back by itself when a release does not serve, and pods go on', async () => {
    const current = readlinkSync(host.at('/opt/berth/current'));
    const { code, output } = await install(release('bad', 'echo broken on purpose >&2; exit 1'));
    assert.notEqual(code, 0);
    assert.match(output, /does not serve on this node[\s\S]*serves again/);
    assert.equal(readlinkSync(host.at('/opt/berth/current')), current);
    assert.deepEqual(await stateOf(pod.containerId), running);
    const again = await install('/srv/bad');
    assert.match(again.output, /did not serve at/);
  });

  it('goes back to the release before when it is asked to', async () => {
    const current = readlinkSync(host.at('/opt/berth/current'));
    await well(host.run(['/opt/berth/current/bin/berth', 'node', 'rollback']));
    assert.notEqual(readlinkSync(host.at('/opt/berth/current')), current);
    assert.deepEqual(await stateOf(pod.containerId), running);
  });

  it('uninstalls when no pod runs, and leaves the node as it was', async () => {
    const cleaner = withdrawing(template, { force: false, keepData: false });
    const refused = await initContainer(cleaner, '');
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /1 pods run: default\/web; drain the node first/);
    {
      using client = cri();
      await client.call('StopPodSandbox', { podSandboxId: pod.podSandboxId });
    }
    assert.match(await well(initContainer(cleaner, '')), /Berth is gone from this node/);
    const after = pictureOf();
    for (const path of new Set([...untouched.keys(), ...after.keys()]))
      assert.equal(after.get(path), untouched.get(path), path);
    const { output } = await host.run([
      'sh',
      '-c',
      'ps -eo args; mount; ip -o link; nft list ruleset; systemctl is-active berth',
    ]);
    assert.doesNotMatch(output, /berth serve|conmon|berth0|\/run\/berth|\/var\/lib\/berth|BERTH/);
    assert.match(output, /inactive/);
    assert.match(await well(initContainer(cleaner, '')), /Berth is gone/);
  });
});
