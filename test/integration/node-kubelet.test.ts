import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubernetesDrainServer } from '../kubernetes-drain-server.ts';
import { layRelease, REPOSITORY } from '../node-release.ts';
import { SystemdHost, type CommandResult } from '../systemd-host.ts';

/*
 * A stand-in kubelet, as a service of the node: it reads its endpoint as kubeadm has it, asks the runtime there for its
 * version, and is healthy when that answers.
 */
const KUBELET = `
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { Client } from '${REPOSITORY}/cri/client.ts';
const [, endpoint] = /--container-runtime-endpoint=(\\S+)/.exec(process.env.KUBELET_KUBEADM_ARGS);
writeFileSync('/run/kubelet-endpoint', endpoint);
createServer(async (_request, response) => {
  try {
    using client = new Client(endpoint);
    const { runtimeName } = await client.call('Version', {}, { deadlineMs: 2000 });
    response.end('ok ' + runtimeName);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}).listen(10248, '127.0.0.1');
`;
const FLAGS = '/var/lib/kubelet/kubeadm-flags.env';
const THEIRS = 'unix:///run/other/other.sock';
const OURS = 'unix:///run/berth/berth.sock';
const CRI_SOCKET = 'kubeadm.alpha.kubernetes.io/cri-socket';
const OLD = new Date('2020-02-02T02:02:02Z');

describe('the kubelet of a node', function () {
  this.timeout(120_000);
  let host: SystemdHost;
  let api: KubernetesDrainServer;
  let release: string;

  before(async () => {
    host = await SystemdHost.boot();
    api = await KubernetesDrainServer.start('n1', `/proc/${host.pid}/ns/net`);
    release = layRelease(host, 'one');
    mkdirSync(host.at('/var/lib/kubelet'));
    writeFileSync(host.at('/srv/kubelet.ts'), KUBELET);
    writeFileSync(host.at(FLAGS), `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${THEIRS} --v=2"\n`, {
      mode: 0o600,
    });
    utimesSync(host.at(FLAGS), OLD, OLD);
    writeFileSync(
      host.at('/etc/systemd/system/kubelet.service'),
      `[Unit]\nDefaultDependencies=no\n[Service]\nEnvironmentFile=${FLAGS}\nExecStart=${process.execPath} --disable-warning=ExperimentalWarning /srv/kubelet.ts\n`,
    );
    writeFileSync(host.at('/srv/kubeconfig'), api.kubeconfig);
    const settings = (more: object) =>
      JSON.stringify({ config: { network: { pod_cidr: '10.77.0.0/24' } }, cni: { install: false }, ...more });
    writeFileSync(host.at('/srv/stay.json'), settings({}));
    writeFileSync(host.at('/srv/switch.json'), settings({ kubelet: { switch: true, seconds: 20 } }));
    api.node.annotations[CRI_SOCKET] = THEIRS;
    await host.run(['systemctl', 'daemon-reload']);
    await host.run(['systemctl', 'start', 'kubelet']);
  });
  after(async () => {
    await api?.[Symbol.asyncDispose]();
    await host?.destroy();
  });

  const node = (command: string[]): Promise<CommandResult> => {
    const about = ['--host', host.host, '--node-name', 'n1', '--kubeconfig', '/srv/kubeconfig'];
    return host.runInPod([join(REPOSITORY, 'bin/berth'), 'node', ...command, ...about]);
  };
  const install = (settings: string): Promise<CommandResult> =>
    node(['install', '--from', release, '--settings', `/srv/${settings}.json`]);
  const flags = (): string => readFileSync(host.at(FLAGS), 'utf8');

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await sleep(100);
  }

  it('stays where it is unless it is told to', async () => {
    const { code, output } = await install('stay');
    assert.equal(code, 0, output);
    assert.match(flags(), /other\.sock/);
    assert.deepEqual(api.requests, []);
  });

  it('is pointed at Berth once its node is drained, and kubeadm is told', async () => {
    api.pods = [
      { name: 'web', owner: 'ReplicaSet' },
      { name: 'berth', owner: 'DaemonSet' },
      { name: 'static', mirror: true },
    ];
    const installing = install('switch');
    await until(() => api.requests.includes('GET /api/v1/pods'));
    assert.match(flags(), /other\.sock/);
    api.node.unschedulable = true;
    api.pods = api.pods.slice(1);
    const { code, output } = await installing;
    assert.equal(code, 0, output);
    assert.match(
      output,
      /not drained|once the node is drained; so far: the node takes new pods.*1 pods are on it: default\/web/,
    );
    assert.equal(flags(), `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${OURS} --v=2"\n`);
    assert.equal(readFileSync(host.at('/run/kubelet-endpoint'), 'utf8'), OURS);
    assert.equal(api.node.annotations[CRI_SOCKET], OURS);
    assert.deepEqual(api.node.labels, { 'berth.dev/kubelet': 'true' });
    assert.match((await install('switch')).output, /unchanged/);
  });

  it('keeps Berth from being uninstalled while the node is not drained', async () => {
    api.pods.push({ name: 'web', owner: 'ReplicaSet' });
    const { code, output } = await node(['uninstall']);
    assert.notEqual(code, 0);
    assert.match(output, /Node n1 is not drained: 1 pods are on it: default\/web/);
    assert.match(flags(), /berth\.sock/);
    api.pods.pop();
  });

  it('is pointed back with its very files before Berth goes', async () => {
    // The runtime of before answers again: this kubelet is healthy only then.
    mkdirSync(host.at('/run/other'));
    const { code: linked } = await host.run([
      'sh',
      '-c',
      'ln -s /run/berth/berth.sock /run/other/other.sock',
    ]);
    assert.equal(linked, 0);
    const { code, output } = await node(['uninstall']);
    assert.equal(code, 0, output);
    assert.match(output, /Berth is gone from this node/);
    assert.equal(flags(), `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${THEIRS} --v=2"\n`);
    const { mode, mtimeMs } = statSync(host.at(FLAGS));
    assert.deepEqual([mode & 0o777, mtimeMs], [0o600, OLD.getTime()]);
    assert.equal(readFileSync(host.at('/run/kubelet-endpoint'), 'utf8'), THEIRS);
    assert.equal(api.node.annotations[CRI_SOCKET], THEIRS);
    assert.deepEqual(api.node.labels, {});
    assert.ok(!existsSync(host.at('/opt/berth')));
  });

  it('goes on as before when it is not healthy with Berth', async () => {
    // Its health check answers for the other runtime alone.
    writeFileSync(
      host.at('/srv/kubelet.ts'),
      KUBELET.replace("'ok '", "endpoint.includes('other') ? 'ok ' : response.writeHead(500) && 'no '"),
    );
    const settings = JSON.parse(readFileSync(host.at('/srv/switch.json'), 'utf8')) as object;
    writeFileSync(
      host.at('/srv/soon.json'),
      JSON.stringify({ ...settings, kubelet: { switch: true, seconds: 3 } }),
    );
    const { code, output } = await install('soon');
    assert.notEqual(code, 0);
    assert.match(output, /The kubelet was not switched: kubelet\.service is not healthy after 3 s: .* 500/);
    assert.match(flags(), /other\.sock/);
    assert.equal(statSync(host.at(FLAGS)).mtimeMs, OLD.getTime());
    await until(() => readFileSync(host.at('/run/kubelet-endpoint'), 'utf8') === THEIRS);
    assert.equal(api.node.annotations[CRI_SOCKET], THEIRS);
  });
});
