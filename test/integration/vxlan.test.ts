import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { TestCluster } from '../cluster.ts';
import { assertNoLeaks, takeCensus, type Census } from '../leaks.ts';
import type { TestNode } from '../node.ts';
import { eventually, removeAllPods, runPod, sandboxStatusOf, shell, type PodConfig } from '../pods.ts';

/** `/big`: two megabytes. `/cgi-bin/who`: `<pod> <address of the caller as the pod sees it>`. */
const SERVE = [
  'sh',
  '-c',
  `mkdir -p /tmp/www/cgi-bin; dd if=/dev/zero of=/tmp/www/big bs=1024 count=2048 2>/dev/null
   printf '#!/bin/sh\\necho; echo $(hostname) $REMOTE_ADDR\\n' > /tmp/www/cgi-bin/who
   chmod +x /tmp/www/cgi-bin/who; exec httpd -f -p 8080 -h /tmp/www`,
];
const LIMIT_MS = 30_000;

/** httpd shows IPv4 addresses as IPv6 ones. */
const plain = (answer: string): string | undefined =>
  answer.trim().replace(/\[::ffff:(.*)\]/, '$1') || undefined;

interface Pod {
  node: TestNode;
  sandbox: string;
  container: string;
  address: string;
  address6: string;
}

describe('nodes that are joined by a VXLAN', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  const clean = new Map<TestNode, Census>();
  const ADDRESS = { a: '192.168.77.1', b: '192.168.77.2', c: '192.168.77.3' };
  const RANGE = {
    a: ['10.10.1.0/24', 'fd10:1::/64'],
    b: ['10.10.2.0/24', 'fd10:2::/64'],
    c: ['10.10.3.0/24', 'fd10:3::/64'],
  };
  type Name = keyof typeof ADDRESS;
  const NAMES: Name[] = ['a', 'b', 'c'];
  const at = (name: Name): TestNode => cluster.nodes.get(name)!;

  before(async () => {
    cluster = await TestCluster.open();
    for (const name of NAMES) {
      cluster.api.put(name, { addresses: [ADDRESS[name]], podCIDRs: RANGE[name] });
      const firewall = name === 'c' ? 'nftables' : 'iptables';
      await cluster.start(await cluster.make(name, ADDRESS[name], { firewall }));
    }
    for (const name of NAMES) await settled(name, 2);
    for (const name of NAMES) clean.set(at(name), await takeCensus(at(name)));
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      for (const name of NAMES) console.log(`    ${name}:\n${at(name).logTail(12).replace(/^/gm, '      ')}`);
    for (const name of NAMES) await removeAllPods(at(name));
  });

  async function settled(name: Name, peers: number): Promise<void> {
    await eventually(`node ${name} is ready with ${peers} peers`, LIMIT_MS, async () => {
      const text = await at(name).berth('status', '--json');
      const { network } = JSON.parse(text) as {
        network: { ready: boolean; overlay: { peers: unknown[]; apiTrouble: string } };
      };
      return network.ready && network.overlay.peers.length === peers ? true : undefined;
    });
  }
  async function pod(name: Name, title: string, changes: PodConfig = {}): Promise<Pod> {
    const node = at(name);
    const { sandbox, container } = await runPod(node, title, SERVE, { pod: changes });
    const { ip, additionalIps } = (await sandboxStatusOf(node, sandbox)).network!;
    return { node, sandbox, container, address: ip, address6: additionalIps[0]?.ip ?? '' };
  }
  /** A shell line: an HTTP request and what is to be done with the answer. */
  const request = (path: string, host: string, port: number, then: string): string =>
    `printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 ${host} ${port} | ${then}`;
  /** Who answers on a port, and whom it sees. */
  const ask = (from: Pod, host: string, port = 8080): Promise<string> =>
    eventually(`${host}:${port} answers`, LIMIT_MS, async () => {
      const answer = await shell(
        from.node,
        from.container,
        request('/cgi-bin/who', host, port, 'tail -n 1'),
      ).catch(() => '');
      return plain(answer);
    });
  const askFromNode = (node: TestNode, host: string, port = 8080): Promise<string> =>
    eventually(`${host}:${port} answers the node`, LIMIT_MS, async () => {
      const answer = await node
        .exec(['sh', '-c', request('/cgi-bin/who', host, port, 'tail -n 1')])
        .catch(() => '');
      return plain(answer);
    });
  const fetchBig = async (from: Pod, host: string): Promise<number> =>
    Number(await shell(from.node, from.container, request('/big', host, 8080, 'wc -c')));
  const fragments = async (node: TestNode): Promise<string> =>
    node.exec(['sh', '-c', `awk '/^Ip:/ {print $17, $18, $19}' /proc/net/snmp | tail -n 1`]);
  const leading = (node: TestNode): Promise<string> =>
    node.exec([
      'sh',
      '-c',
      `ip route show dev berth.vxlan | sort; ip -6 route show dev berth.vxlan | grep via | sort
       ip neigh show dev berth.vxlan nud permanent | sort; bridge fdb show dev berth.vxlan | sort`,
    ]);

  it('lets pods of all nodes reach each other, as they are, with large packets', async () => {
    const pods = { a: await pod('a', 'pa'), b: await pod('b', 'pb'), c: await pod('c', 'pc') };
    const before = await Promise.all(NAMES.map((name) => fragments(at(name))));
    for (const from of NAMES)
      for (const to of NAMES) {
        const { address } = pods[to];
        assert.equal(await ask(pods[from], address), `p${to} ${pods[from].address}`);
        assert.ok((await fetchBig(pods[from], address)) > 2048 * 1024);
      }
    for (const name of NAMES) {
      assert.ok(pods[name].address.startsWith(RANGE[name][0]!.slice(0, 8)), pods[name].address);
      const mtu = await shell(at(name), pods[name].container, 'cat /sys/class/net/eth0/mtu');
      assert.equal(mtu.trim(), '1450');
      const other = pods[name === 'a' ? 'b' : 'a'];
      // With the headers of ICMP and of IPv4 or IPv6 1450 bytes.
      await shell(at(name), pods[name].container, `ping -c 1 -W 5 -s 1422 ${other.address}`);
      await shell(at(name), pods[name].container, `ping6 -c 1 -W 5 -s 1402 ${other.address6}`);
    }
    assert.deepEqual(
      await Promise.all(NAMES.map((name) => fragments(at(name)))),
      before,
      'nothing was cut up',
    );
    // Processes of a node come from its gateway address, which the others know the way to.
    assert.equal(await askFromNode(at('a'), pods.b.address), 'pb 10.10.1.1');
    const text = await at('a').berth('status');
    assert.match(
      text,
      /VXLAN +node a, 10\.10\.1\.0\/24, fd10:1::\/64, berth\.vxlan at 192\.168\.77\.1, MTU 1450/,
    );
    assert.match(text, /^ +b +192\.168\.77\.2 +10\.10\.2\.0\/24/m);
    const { info } = await at('a').client.call('Status', { verbose: true });
    assert.match(JSON.stringify(info), /10\.10\.3\.0\/24/);
  });

  it("serves host ports to other nodes' pods, to the pod itself and to nodes", async () => {
    const portMappings = [{ protocol: 0, containerPort: 8080, hostPort: 18081 }];
    const served = await pod('b', 'served', { portMappings });
    const other = await pod('a', 'other');
    assert.equal(await ask(other, ADDRESS.b, 18081), `served ${ADDRESS.a}`);
    assert.match(await ask(served, ADDRESS.b, 18081), /^served /);
    assert.equal(await ask(other, '10.10.2.1', 18081), `served ${other.address}`);
    assert.equal(await askFromNode(at('c'), ADDRESS.b, 18081), `served ${ADDRESS.c}`);
    assert.match(await askFromNode(at('b'), '127.0.0.1', 18081), /^served /);
    await removeAllPods(at('b'));
    assert.doesNotMatch(await at('b').exec(['iptables-save', '-t', 'nat']), /18081/);
  });

  it('goes on without the API server: traffic, new pods, a daemon that starts anew; and hears what it missed', async () => {
    const first = { a: await pod('a', 'first-a'), b: await pod('b', 'first-b') };
    await cluster.api.stop();
    assert.match(await ask(first.a, first.b.address), /^first-b/);
    await eventually('the node says that the server is away', LIMIT_MS, async () =>
      /API server +\S.*(broke off|does not answer)/.test(await at('a').berth('status')) ? true : undefined,
    );
    const later = await pod('c', 'later');
    assert.equal(await ask(first.a, later.address), `later ${first.a.address}`);
    const before = await leading(at('a'));
    await at('a').kill9();
    await at('a').exec(['ip', 'link', 'del', 'berth.vxlan']);
    await at('a').start();
    await settled('a', 2);
    assert.equal(await leading(at('a')), before, 'all of it is there again');
    assert.equal(await ask(first.a, later.address), `later ${first.a.address}`);
    const newest = await pod('a', 'newest');
    assert.equal(await ask(newest, first.b.address), `first-b ${newest.address}`);
    cluster.api.put('d', { addresses: ['192.168.77.4'], podCIDRs: ['10.10.4.0/24'] });
    await cluster.startApi();
    for (const name of NAMES) await settled(name, 3);
    cluster.api.delete('d');
    for (const name of NAMES) await settled(name, 2);
  });

  it('follows a node that dies and comes back, with its address and with another', async () => {
    const stays = await pod('a', 'stays');
    const lost = await pod('c', 'lost');
    assert.match(await ask(stays, lost.address), /^lost/);
    const entries = await leading(at('a'));
    for (const address of [ADDRESS.c, '192.168.77.33', ADDRESS.c]) {
      await at('c').reboot();
      cluster.api.put('c', { addresses: [address], podCIDRs: RANGE.c });
      await cluster.plug(at('c'), address);
      await cluster.start(at('c'));
      await settled('c', 2);
      const back = await pod('c', 'back');
      assert.equal(await ask(stays, back.address), `back ${stays.address}`);
      assert.equal(await ask(back, stays.address), `stays ${back.address}`);
      await removeAllPods(at('c'));
    }
    assert.equal(await leading(at('a')), entries);
  });

  it('forgets a node that is removed, and takes it in again with another range', async () => {
    const stays = await pod('a', 'stays');
    cluster.api.delete('c');
    for (const name of ['a', 'b'] as const) await settled(name, 1);
    for (const name of ['a', 'b'] as const)
      assert.doesNotMatch(await leading(at(name)), /10\.10\.3\.|192\.168\.77\.3\b/);
    // The node itself keeps what it knows: a cluster without it may be the wrong one.
    await eventually('node c says so', LIMIT_MS, async () =>
      /API server +the cluster has no node c/.test(await at('c').berth('status')) ? true : undefined,
    );
    cluster.api.put('c', { addresses: [ADDRESS.c], podCIDRs: ['10.10.33.0/24'] });
    for (const name of NAMES) await settled(name, 2);
    await eventually('node c has its new range', LIMIT_MS, async () =>
      /10\.10\.33\.0\/24, berth\.vxlan/.test(await at('c').berth('status')) ? true : undefined,
    );
    const moved = await pod('c', 'moved');
    assert.match(moved.address, /^10\.10\.33\./);
    assert.equal(await ask(stays, moved.address), `moved ${stays.address}`);
    assert.equal(await ask(moved, stays.address), `stays ${moved.address}`);
    assert.doesNotMatch(
      await at('c').exec(['ip', 'address']),
      /10\.10\.3\.1|fd10:3::1/,
      'the next node may get it',
    );
    await removeAllPods(at('c'));
    await eventually('its address is free', LIMIT_MS, async () =>
      (await takeCensus(at('c'))).records.some((line) => line.startsWith('addresses')) ? undefined : true,
    );
    cluster.api.put('c', { addresses: [ADDRESS.c], podCIDRs: RANGE.c });
    await eventually('node a leads to the old range again', LIMIT_MS, async () =>
      (await leading(at('a'))).includes('10.10.3.0/24') ? true : undefined,
    );
    await eventually('node c has it', LIMIT_MS, async () =>
      /10\.10\.3\.0\/24, .*, berth\.vxlan/.test(await at('c').berth('status')) ? true : undefined,
    );
  });

  it('leaves nothing of pods behind', async () => {
    for (const name of NAMES) await assertNoLeaks(at(name), clean.get(at(name))!);
  });

  it('is not ready, and says why, until it has a range; afterwards without a restart', async () => {
    const node = await cluster.make('e', '192.168.77.5');
    await cluster.start(node);
    const network = async (): Promise<string> => {
      const { status } = await node.client.call('Status', {});
      const { status: ready, message } = status!.conditions.find(({ type }) => type === 'NetworkReady')!;
      return ready ? 'ready' : message;
    };
    await eventually('the node is told that it is unknown', LIMIT_MS, async () =>
      /Node object e is not known.*the cluster has no node e/.test(await network()) ? true : undefined,
    );
    await assert.rejects(runPod(node, 'early', SERVE), /no pod network yet.*Node object e is not known/);
    await removeAllPods(node);
    cluster.api.put('e', { addresses: ['192.168.77.5'] });
    await eventually('the node waits for a range', LIMIT_MS, async () =>
      /has no podCIDR yet/.test(await network()) ? true : undefined,
    );
    cluster.api.put('e', { addresses: ['192.168.77.5'], podCIDRs: ['10.10.5.0/24'] });
    await eventually('the node is ready', LIMIT_MS, async () =>
      (await network()) === 'ready' ? true : undefined,
    );
  });

  it('is gone when it is switched off', async () => {
    const node = at('a');
    await node.stop();
    const config = readFileSync(node.configFile, 'utf8');
    writeFileSync(
      node.configFile,
      config
        .replace('overlay = "vxlan"', 'overlay = "none"')
        .replace('pod_cidr = ""', 'pod_cidr = "10.10.1.0/24"'),
    );
    await node.start();
    assert.doesNotMatch(await node.exec(['ip', '-o', 'link']), /berth\.vxlan/);
    assert.doesNotMatch(await node.exec(['iptables-save']), /berth\.vxlan/);
    assert.doesNotMatch(await node.exec(['ip', 'route']), /10\.10\.2\./);
    assert.match(await node.exec(['ip', '-o', 'link', 'show', 'berth0']), /mtu 1500 /);
    const census = await takeCensus(node);
    assert.deepEqual(
      census.records.filter((line) => /cluster-nodes|overlay/.test(line)),
      [],
    );
    const alone = await pod('a', 'alone');
    assert.match(alone.address, /^10\.10\.1\./);
  });
});
