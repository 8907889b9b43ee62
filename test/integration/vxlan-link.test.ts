import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { SILENT } from '../../ground/log.ts';
import { RecordStore } from '../../ground/records.ts';
import { linkNames } from '../../network/link-names.ts';
import { vxlanMac, type ClusterNode } from '../../network/vxlan/cluster-node.ts';
import type { NodesReport } from '../../network/vxlan/kubernetes-nodes.ts';
import { leaveOverlay, Overlay } from '../../network/vxlan/overlay.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });
const node = (name: string, address: string, ...podCidrs: string[]): ClusterNode => ({
  name,
  addresses: [address],
  podCidrs,
});
const NODES = [
  node('a', '192.0.2.1', '10.1.1.0/24', 'fd00:1::/64'),
  node('b', '192.0.2.2', '10.1.2.0/24', 'fd00:2::/64'),
  node('c', '192.0.2.3', '10.1.3.0/24', 'fd00:3::/64'),
];

describeInOwnNamespaces('the overlay of a node', import.meta.url, () => {
  let records: RecordStore;
  let overlay: Overlay;
  let hear: (report: NodesReport) => void;
  let served: string[];
  let refusal: Error | undefined;

  beforeEach(() => {
    sh('ip link add eth0 type veth peer name other; ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up');
    records = new RecordStore(':memory:');
    served = [];
    refusal = undefined;
    overlay = open();
  });
  afterEach(async () => {
    await overlay.close();
    for (const name of linkNames()) if (name !== 'lo') sh(`ip link del ${name} 2>/dev/null || true`);
    records.close();
  });

  function open(name = 'berth.vxlan', port = 8472): Overlay {
    return new Overlay({
      records,
      log: SILENT,
      link: { name, vni: 7, port },
      node: 'a',
      source: {
        follow: (report, signal) => {
          hear = report;
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        },
      },
      serve: (podCidr, mtu) => {
        served.push(`${podCidr} ${mtu}`);
        return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
      },
    });
  }
  async function lead(...nodes: ClusterNode[]): Promise<void> {
    hear({ nodes });
    await overlay.apply();
  }
  const state = (link = 'berth.vxlan'): string =>
    sh(`ip -o address show dev ${link} scope global | awk '{print $4}' | sort
        ip route show dev ${link} | sort; ip -6 route show dev ${link} | grep via | sort
        ip neigh show dev ${link} nud permanent | sort; bridge fdb show dev ${link} | sort`).replaceAll(
      / +$/gm,
      '',
    );

  it('makes the link, and leads it to the nodes that there are', async () => {
    await overlay.start();
    assert.match(overlay.trouble, /Node object a is not known yet/);
    assert.deepEqual([...linkNames()].sort(), ['eth0', 'lo', 'other']);
    await lead(...NODES);
    assert.equal(overlay.trouble, '');
    assert.deepEqual([...new Set(served)], ['10.1.1.0/24,fd00:1::/64 1450']);
    assert.match(
      sh('ip -d link show berth.vxlan'),
      /mtu 1450.*vxlan id 7 .*local 192\.0\.2\.1.*dstport 8472.* nolearning/s,
    );
    const both = state();
    assert.deepEqual(
      both.trim().split('\n').sort(),
      [
        '10.1.1.1/32',
        'fd00:1::1/128',
        ...[2, 3].map((n) => `10.1.${n}.0/24 via 10.1.${n}.1 proto static src 10.1.1.1 onlink`),
        ...[2, 3].map(
          (n) => `fd00:${n}::/64 via fd00:${n}::1 proto static src fd00:1::1 metric 1024 onlink pref medium`,
        ),
        ...NODES.slice(1).flatMap(({ name }, at) => [
          `10.1.${at + 2}.1 lladdr ${vxlanMac(name)} PERMANENT`,
          `fd00:${at + 2}::1 lladdr ${vxlanMac(name)} PERMANENT`,
          `${vxlanMac(name)} dst 192.0.2.${at + 2} self permanent`,
        ]),
      ].sort(),
    );
    await lead(...NODES.slice(0, 2));
    assert.doesNotMatch(state(), /10\.1\.3\.|fd00:3:|192\.0\.2\.3/);
    await lead(NODES[0]!);
    assert.equal(state().trim(), '10.1.1.1/32\nfd00:1::1/128');
    await lead(...NODES);
    assert.equal(state(), both);
    assert.deepEqual(
      overlay.status().peers.map(({ name }) => name),
      ['b', 'c'],
    );
  });

  it('mends what others take away, and touches nothing that is right', async () => {
    await overlay.start();
    await lead(...NODES);
    const before = state();
    sh(`ip route del 10.1.2.0/24; ip -6 route del fd00:3::/64; ip neigh del 10.1.3.1 dev berth.vxlan
        bridge fdb del ${vxlanMac('c')} dst 192.0.2.3 dev berth.vxlan; ip addr del 10.1.1.1/32 dev berth.vxlan
        ip link set berth.vxlan mtu 1300`);
    await overlay.apply();
    assert.equal(state(), before);
    assert.match(sh('ip link show berth.vxlan'), /mtu 1450/);
    const index = sh('ip -o link show berth.vxlan | cut -d: -f1');
    await overlay.apply();
    assert.equal(sh('ip -o link show berth.vxlan | cut -d: -f1'), index, 'the same link');
    sh('ip link del berth.vxlan');
    await overlay.apply();
    assert.equal(state(), before);
  });

  it('follows its own address, and a peer that has another', async () => {
    await overlay.start();
    await lead(...NODES);
    sh(
      'ip addr add 192.0.2.99/24 dev eth0; ip addr del 192.0.2.1/24 dev eth0; ip addr add 192.0.2.99/24 dev eth0 2>/dev/null || true',
    );
    await lead(
      node('a', '192.0.2.99', ...NODES[0]!.podCidrs),
      node('b', '192.0.2.50', ...NODES[1]!.podCidrs),
    );
    assert.equal(overlay.trouble, '');
    assert.match(sh('ip -d link show berth.vxlan'), /local 192\.0\.2\.99/);
    const lines = state();
    assert.match(lines, new RegExp(`^${vxlanMac('b')} dst 192\\.0\\.2\\.50 self permanent$`, 'm'));
    assert.doesNotMatch(lines, /192\.0\.2\.2 /);
  });

  it('knows the nodes when it starts anew without a word from the server, and believes no list without itself', async () => {
    await overlay.start();
    await lead(...NODES);
    const before = state();
    await lead(NODES[1]!);
    assert.equal(state(), before);
    assert.match(overlay.status().apiTrouble, /no node a/);
    await overlay.close();
    sh('ip link del berth.vxlan');
    overlay = open();
    assert.equal(overlay.podCidr, '10.1.1.0/24,fd00:1::/64');
    await overlay.start();
    assert.equal(overlay.trouble, '');
    assert.equal(state(), before);
  });

  it('says what is wrong, and is ready when it is right', async () => {
    await overlay.start();
    await lead(node('a', '198.51.100.1', '10.1.1.0/24'));
    assert.match(overlay.trouble, /No link of this node has an InternalIP.*198\.51\.100\.1/);
    await lead(node('a', '192.0.2.1'));
    assert.match(overlay.trouble, /no podCIDR yet/);
    sh('ip link add berth.vxlan type bridge');
    await lead(...NODES);
    assert.match(overlay.trouble, /berth\.vxlan exists, and is bridge/);
    sh('ip link del berth.vxlan');
    refusal = new Error('no bridge today');
    await overlay.apply();
    assert.match(overlay.trouble, /no bridge today/);
    refusal = undefined;
    await overlay.apply();
    assert.equal(overlay.trouble, '');
  });

  it('takes the old link away when it has another name, and all of it when it is switched off', async () => {
    await overlay.start();
    await lead(...NODES);
    await overlay.close();
    overlay = open('vx2', 4789);
    await overlay.start();
    assert.equal(overlay.trouble, '');
    assert.ok(linkNames().has('vx2') && !linkNames().has('berth.vxlan'));
    await overlay.close();
    assert.equal(await leaveOverlay(records), true);
    assert.equal(await leaveOverlay(records), false);
    assert.deepEqual([...linkNames()].sort(), ['eth0', 'lo', 'other']);
    assert.deepEqual(records.table('cluster-nodes').all(), []);
  });
});
