import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '../../cri/client.ts';
import { BUSYBOX_IMAGE, PAUSE_IMAGE, storeSmallImages } from '../bench/images.ts';
import { startContainerd, type ContainerdNode } from '../bench/peers/containerd.ts';
import { removeCgroups } from '../node-space.ts';

const BERTH = fileURLToPath(new URL('../../bin/berth', import.meta.url));
const POD = { network: 0, pid: 1, ipc: 0 };
const SERVE = 'mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';

/** Another runtime with a directory of plugins in which there is nothing but Berth's. */
describe("Berth's CNI plugins as programs, under containerd", () => {
  let directory: string;
  let node: ContainerdNode;
  let cri: Client;
  let cgroup: string;
  before(async function () {
    this.timeout(120_000);
    directory = mkdtempSync(join(tmpdir(), 'berth-cnid-'));
    const [bin, store] = [join(directory, 'bin'), join(directory, 'store')];
    mkdirSync(store);
    storeSmallImages(store);
    assert.equal(spawnSync(BERTH, ['cni', 'install', bin]).status, 0);
    cgroup = `/berth-test-${randomBytes(3).toString('hex')}`;
    node = await startContainerd(join(directory, 'node'), `${cgroup}/containerd`, store, {
      binDir: bin,
      list: {
        cniVersion: '1.0.0',
        name: 'pods',
        plugins: [
          {
            type: 'bridge',
            bridge: 'cni0',
            isGateway: true,
            ipMasq: true,
            hairpinMode: true,
            ipam: {
              type: 'host-local',
              dataDir: join(directory, 'addresses'),
              ranges: [[{ subnet: '10.89.0.0/24' }], [{ subnet: 'fd00:89::/64' }]],
              routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
            },
          },
          { type: 'portmap', capabilities: { portMappings: true } },
          { type: 'firewall' },
          { type: 'bandwidth', capabilities: { bandwidth: true } },
          { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } },
        ],
      },
    });
    cri = new Client(node.socket);
    for (const image of [PAUSE_IMAGE, BUSYBOX_IMAGE]) await cri.call('PullImage', { image: { image } });
  });
  after(async () => {
    cri?.close();
    await node?.close();
    assert.deepEqual(removeCgroups(cgroup), []);
    rmSync(directory, { recursive: true, force: true });
  });

  interface Running {
    sandbox: string;
    container: string;
    ips: string[];
  }

  async function start(name: string, command: string[], more: object = {}): Promise<Running> {
    const uid = randomBytes(8).toString('hex');
    const logs = join(node.logs, name);
    mkdirSync(logs, { recursive: true });
    const config = {
      metadata: { name, uid, namespace: 'test', attempt: 0 },
      hostname: name,
      logDirectory: logs,
      linux: { cgroupParent: `${node.cgroup}/pod-${uid}`, securityContext: { namespaceOptions: POD } },
      ...more,
    };
    const { podSandboxId: sandbox } = await cri.call('RunPodSandbox', { config, runtimeHandler: 'runc' });
    const { containerId: container } = await cri.call('CreateContainer', {
      podSandboxId: sandbox,
      config: {
        metadata: { name: 'main', attempt: 0 },
        image: { image: BUSYBOX_IMAGE },
        command,
        logPath: 'main.log',
        linux: { securityContext: { namespaceOptions: POD } },
      },
      sandboxConfig: config,
    });
    await cri.call('StartContainer', { containerId: container });
    const { network } = (await cri.call('PodSandboxStatus', { podSandboxId: sandbox })).status!;
    return { sandbox, container, ips: [network!.ip, ...network!.additionalIps.map(({ ip }) => ip)] };
  }

  const inside = async ({ container }: Running, ...cmd: string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await cri.call('ExecSync', {
      containerId: container,
      cmd,
      timeout: 20n,
    });
    assert.equal(exitCode, 0, Buffer.from(stderr).toString());
    return Buffer.from(stdout).toString().trim();
  };
  const fetch = (address: string, port: number): string[] => {
    const once = `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 ${address} ${port} | tail -n 1 | grep .`;
    return ['sh', '-c', `for i in 1 2 3 4 5; do ${once} && exit; sleep 0.3; done; exit 1`];
  };
  const leases = (): string[] => {
    const path = join(directory, 'addresses/pods');
    return existsSync(path) ? readdirSync(path).filter((name) => /^(\d|fd)/.test(name)) : [];
  };

  const links = async (): Promise<string[]> => {
    const all = JSON.parse(await node.run(['ip', '-json', 'link'])) as { ifname: string }[];
    return all.map(({ ifname }) => ifname).sort();
  };

  it('give pods their network, and take it away', async function () {
    this.timeout(120_000);
    const web = await start('web', ['sh', '-c', SERVE], {
      portMappings: [{ protocol: 0, containerPort: 8080, hostPort: 18080, hostIp: '' }],
      annotations: { 'kubernetes.io/egress-bandwidth': '80M' },
    });
    const client = await start('client', ['sleep', '1000']);
    assert.deepEqual(web.ips, ['10.89.0.2', 'fd00:89::2']);
    assert.deepEqual(client.ips, ['10.89.0.3', 'fd00:89::3']);
    assert.equal(await inside(client, ...fetch('10.89.0.2', 8080)), 'web');
    assert.equal(await inside(client, ...fetch('fd00:89::2', 8080)), 'web');
    // By the node's port: from a pod, from the pod itself, from the node by its address and by localhost.
    assert.equal(await inside(client, ...fetch('10.89.0.1', 18080)), 'web');
    assert.equal(await inside(web, ...fetch('10.89.0.1', 18080)), 'web');
    for (const address of ['10.89.0.1', '127.0.0.1'])
      assert.equal((await node.run(fetch(address, 18080))).trim(), 'web');
    assert.equal(await inside(client, 'cat', '/proc/sys/net/core/somaxconn'), '500');
    assert.match(await node.run(['tc', 'qdisc']), /tbf/);
    for (const { sandbox } of [web, client]) {
      await cri.call('StopPodSandbox', { podSandboxId: sandbox });
      await cri.call('RemovePodSandbox', { podSandboxId: sandbox });
    }
    assert.deepEqual(leases(), []);
    for (const program of ['iptables-save', 'ip6tables-save'])
      assert.doesNotMatch(await node.run([program]), /10\.89\.0\.[23]|fd00:89::[23]|18080|CNI-DN/);
    assert.deepEqual(await links(), ['cni0', 'lo']);
  });

  it('say what is wrong, and containerd passes it on', async function () {
    this.timeout(60_000);
    const annotations = { 'kubernetes.io/egress-bandwidth': '80M' };
    const config = {
      metadata: { name: 'odd', uid: 'odd', namespace: 'test', attempt: 0 },
      hostname: 'odd',
      annotations,
      portMappings: [{ protocol: 0, containerPort: 80, hostPort: 18081, hostIp: 'nowhere' }],
      linux: { cgroupParent: `${node.cgroup}/pod-odd`, securityContext: { namespaceOptions: POD } },
    };
    await assert.rejects(
      cri.call('RunPodSandbox', { config, runtimeHandler: 'runc' }),
      /hostIP "nowhere" is no address/,
    );
    assert.deepEqual(leases(), []);
    assert.deepEqual(await links(), ['cni0', 'lo']);
  });
});
