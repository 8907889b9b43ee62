import assert from 'node:assert/strict';
import {
  eventually,
  podConfig,
  runPod,
  runSandbox,
  sandboxStatusOf,
  shell,
  type PodConfig,
} from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { bridgePlugin } from '../cni-list.ts';
import { useNode, type Suite } from '../use-node.ts';
import type { TestNode } from '../node.ts';

const SERVE = ['sh', '-c', 'mkdir -p /tmp/www; hostname > /tmp/www/index.html; httpd -f -p 8080 -h /tmp/www'];
const onNode = (mode: number): PodConfig => ({
  linux: { securityContext: { namespaceOptions: { network: mode, pid: 1, ipc: 0 } } },
});

/** One HTTP request from within the node's own network namespace. */
async function get(node: TestNode, address: string, port: number): Promise<string> {
  const request = `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 ${address} ${port} | tail -n 1`;
  return eventually(`${address}:${port} answers`, 10_000, async () => {
    const answer = await node.exec(['sh', '-c', request]).catch(() => '');
    return answer.trim() === '' ? undefined : answer.trim();
  });
}

/** `list`: what shows the rules of host ports. */
function sharedBehaviour(suite: Suite, list = ['iptables-save', '-t', 'nat']): void {
  it('gives each pod an address that the node reaches', async () => {
    const { node } = suite;
    const { sandbox } = await runPod(node, 'reached', SERVE);
    const { ip } = (await sandboxStatusOf(node, sandbox)).network!;
    assert.equal(await get(node, ip, 8080), 'reached');
  });

  it('maps a host port, and takes it back', async () => {
    const { node } = suite;
    const portMappings = [{ protocol: 0, containerPort: 8080, hostPort: 18080 }];
    const { sandbox } = await runPod(node, 'mapped', SERVE, { pod: { portMappings } });
    const gateway = await gatewayOf(node, sandbox);
    assert.equal(await get(node, gateway, 18080), 'mapped');
    assert.match(await node.exec(list), /18080/);
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    assert.doesNotMatch(await node.exec(list), /18080/);
    const again = await runPod(node, 'again', SERVE, { pod: { portMappings } });
    assert.equal(await get(node, await gatewayOf(node, again.sandbox), 18080), 'again');
  });

  it("gives a pod on the node's network the node's own", async () => {
    const { node } = suite;
    const security = { securityContext: { namespaceOptions: { network: 2, pid: 1, ipc: 0 } } };
    const { sandbox, container } = await runPod(node, 'host', ['sleep', '1000'], {
      pod: onNode(2),
      container: { linux: security },
    });
    const mine = (await node.exec(['readlink', '/proc/self/ns/net'])).trim();
    assert.equal((await shell(node, container, 'readlink /proc/self/ns/net')).trim(), mine);
    assert.equal((await sandboxStatusOf(node, sandbox)).network?.ip ?? '', '');
  });

  it('starts twenty pods at once with twenty addresses', async () => {
    const { node } = suite;
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) => runSandbox(node, podConfig(node, `many-${index}`))),
    );
    const addresses = await Promise.all(ids.map(async (id) => (await sandboxStatusOf(node, id)).network!.ip));
    assert.equal(new Set(addresses).size, 20, addresses.join());
  });

  async function gatewayOf(node: TestNode, sandbox: string): Promise<string> {
    const { ip } = (await sandboxStatusOf(node, sandbox)).network!;
    const route = await node.exec(['ip', '-json', 'route', 'get', ip]);
    return (JSON.parse(route) as { prefsrc: string }[])[0]!.prefsrc;
  }
}

const NFT = ['nft', 'list', 'ruleset'];
const CNI = {
  cniVersion: '1.0.0',
  name: 'test',
  plugins: [bridgePlugin('/run/cni-ipam'), { type: 'portmap', capabilities: { portMappings: true } }],
};

describe('the built-in network', () => {
  const suite = useNode();
  sharedBehaviour(suite);
});

describe('the built-in network by nf_tables', () => {
  const suite = useNode({ config: { network: { firewall: 'nftables' } } });
  sharedBehaviour(suite, NFT);
});

describe('a network of CNI plugins', () => {
  const suite = useNode({ cni: CNI });
  warmUp(suite);
  sharedBehaviour(suite);
});

describe('a network of CNI plugins by nf_tables', () => {
  const suite = useNode({ cni: CNI, config: { network: { firewall: 'nftables' } } });
  warmUp(suite);
  sharedBehaviour(suite, NFT);
});

function warmUp(suite: Suite): void {
  // The plugins make their bridge and chains with the first pod and keep them.
  before(async () => {
    const { node } = suite;
    const warm = await runSandbox(
      node,
      podConfig(node, 'warm', { portMappings: [{ protocol: 0, containerPort: 1, hostPort: 19999 }] }),
    );
    await node.client.call('StopPodSandbox', { podSandboxId: warm });
    await node.client.call('RemovePodSandbox', { podSandboxId: warm });
    await suite.retake();
  });
}

describe('a network that is not configured', () => {
  const suite = useNode({ config: { network: { pod_cidr: '' } } });

  it('makes the node not ready, until the kubelet gives a range', async () => {
    const { node } = suite;
    const networkReady = async (): Promise<boolean | undefined> =>
      (await node.client.call('Status', {})).status?.conditions.find(({ type }) => type === 'NetworkReady')
        ?.status;
    assert.equal(await networkReady(), false);
    await assertRefused(node, { code: 'UNAVAILABLE', says: /network/i }, () =>
      runSandbox(node, podConfig(node, 'early')),
    );
    const host = await runSandbox(node, podConfig(node, 'host', onNode(2)));
    assert.ok(host, "pods on the node's network need none");
    await node.client.call('UpdateRuntimeConfig', {
      runtimeConfig: { networkConfig: { podCidr: '10.90.0.0/24' } },
    });
    await eventually('the network is ready', 10_000, async () =>
      (await networkReady()) === true ? true : undefined,
    );
    const id = await runSandbox(node, podConfig(node, 'served'));
    assert.match((await sandboxStatusOf(node, id)).network!.ip, /^10\.90\.0\./);
    await node.client.call('StopPodSandbox', { podSandboxId: id });
    await node.client.call('RemovePodSandbox', { podSandboxId: id });
    await node.client.call('RemovePodSandbox', { podSandboxId: host });
    await suite.retake();
  });
});
