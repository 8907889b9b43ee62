import assert from 'node:assert/strict';
import { TestCluster } from '../cluster.ts';
import { assertNoLeaks, takeCensus, type Census } from '../leaks.ts';
import type { TestNode } from '../node.ts';
import { eventually, removeAllPods, runPod, sandboxStatusOf, shell } from '../pods.ts';

const LIMIT_MS = 30_000;
const SERVE = [
  'sh',
  '-c',
  `mkdir -p /tmp/www; dd if=/dev/zero of=/tmp/www/big bs=1024 count=2048 2>/dev/null
   exec httpd -f -p 8080 -h /tmp/www`,
];

describe('nodes that reach each other over IPv6 alone, joined by a VXLAN', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  const clean = new Map<string, Census>();
  const NODES = {
    a: { address: 'fd99::1', podCIDRs: ['10.10.1.0/24', 'fd10:1::/64'] },
    b: { address: 'fd99::2', podCIDRs: ['10.10.2.0/24', 'fd10:2::/64'] },
  };
  const NAMES = ['a', 'b'] as const;
  const at = (name: keyof typeof NODES): TestNode => cluster.nodes.get(name)!;

  before(async () => {
    cluster = await TestCluster.open({ ipv6: true });
    for (const name of NAMES) {
      const { address, podCIDRs } = NODES[name];
      cluster.api.put(name, { addresses: [address], podCIDRs });
      await cluster.start(
        await cluster.make(name, address, { firewall: name === 'a' ? 'iptables' : 'nftables' }),
      );
    }
    for (const name of NAMES) {
      await eventually(`node ${name} knows its peer`, LIMIT_MS, async () => {
        const { json } = await at(name).client.call('Census', {});
        const { network } = JSON.parse(json) as {
          network: { ready: boolean; overlay: { peers: unknown[] } };
        };
        return network.ready && network.overlay.peers.length === 1 ? true : undefined;
      });
      clean.set(name, await takeCensus(at(name)));
    }
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      for (const name of NAMES) console.log(`    ${name}:\n${at(name).logTail(12).replace(/^/gm, '      ')}`);
    for (const name of NAMES) await removeAllPods(at(name));
  });

  it('lets pods reach each other over both families, with packets as large as fit', async () => {
    const pods = new Map<string, { container: string; address: string; address6: string }>();
    for (const name of NAMES) {
      const { sandbox, container } = await runPod(at(name), `p${name}`, SERVE);
      const { ip, additionalIps } = (await sandboxStatusOf(at(name), sandbox)).network!;
      pods.set(name, { container, address: ip, address6: additionalIps[0]!.ip });
    }
    const cutUp = (name: keyof typeof NODES): Promise<string> =>
      at(name).exec([
        'sh',
        '-c',
        "awk '/^Ip6Frag|^Ip6ReasmReqds/' /proc/net/snmp6; awk '/^Ip:/ {print $17, $19}' /proc/net/snmp",
      ]);
    const before = await Promise.all(NAMES.map(cutUp));
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const [own, other] = [pods.get(from)!, pods.get(to)!];
      const inside = (line: string): Promise<string> => shell(at(from), own.container, line);
      assert.equal((await inside('cat /sys/class/net/eth0/mtu')).trim(), '1430');
      await eventually(`p${to} answers`, LIMIT_MS, async () =>
        (await inside(`ping -c 1 -W 2 ${other.address} && ping6 -c 1 -W 2 ${other.address6}`).catch(
          () => '',
        )) === ''
          ? undefined
          : true,
      );
      // With the headers of ICMP and of IPv4 or IPv6 1430 bytes.
      await inside(`ping -c 1 -W 5 -s 1402 ${other.address}`);
      await inside(`ping6 -c 1 -W 5 -s 1382 ${other.address6}`);
      for (const address of [other.address, other.address6]) {
        const line = `printf 'GET /big HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 ${address} 8080 | wc -c`;
        assert.ok(Number(await inside(line)) > 2048 * 1024, address);
      }
    }
    assert.deepEqual(await Promise.all(NAMES.map(cutUp)), before, 'nothing was cut up');
    const text = await at('a').berth('status');
    assert.match(text, /VXLAN +node a, 10\.10\.1\.0\/24, fd10:1::\/64, berth\.vxlan at fd99::1, MTU 1430/);
    assert.match(text, /^ +b +fd99::2 +10\.10\.2\.0\/24/m);
  });

  it('refuses a node that has no address of that family, and leaves nothing behind', async () => {
    cluster.api.put('c', { addresses: ['192.168.77.3'], podCIDRs: ['10.10.3.0/24'] });
    await eventually('node c is refused', LIMIT_MS, async () =>
      /^ +c +none of its addresses \(192\.168\.77\.3\) is of the family of fd99::1/m.test(
        await at('a').berth('status'),
      )
        ? true
        : undefined,
    );
    cluster.api.delete('c');
    await eventually('node c is gone', LIMIT_MS, async () =>
      (await at('a').berth('status')).includes('192.168.77.3') ? undefined : true,
    );
    for (const name of NAMES) await assertNoLeaks(at(name), clean.get(name)!);
  });
});
