import assert from 'node:assert/strict';
import { planPeers, vxlanMac } from './cluster-node.ts';
import { clusterNodeOf } from './node-object.ts';

const node = (name: string, address: string, ...podCidrs: string[]) => ({
  name,
  addresses: [address],
  podCidrs,
});
const own = node('own', '192.0.2.1', '10.1.1.0/24', 'fd00:1::/64');
const plan = (...others: ReturnType<typeof node>[]) => planPeers('own', '192.0.2.1', [own, ...others]);

describe('the plan of a VXLAN', () => {
  it('leads to all other nodes that have a range, over the family of the own address', () => {
    const { peers, refused } = plan(
      { name: 'b', addresses: ['2001:db8::2', '192.0.2.2'], podCidrs: ['10.1.2.0/24', 'fd00:2::/64'] },
      node('waiting', '192.0.2.3'),
    );
    assert.deepEqual(refused, []);
    assert.deepEqual(
      peers.map(({ name, address, mac, ranges }) => [name, address, mac, ranges.map(({ cidr }) => cidr)]),
      [['b', '192.0.2.2', vxlanMac('b'), ['10.1.2.0/24', 'fd00:2::/64']]],
    );
  });

  it('refuses nodes whose addresses or ranges cannot be, and says why', () => {
    const { peers, refused } = plan(
      node('a-other-family', '2001:db8::2', '10.1.2.0/24'),
      node('b-good', '192.0.2.3', '10.1.3.0/24'),
      node('c-twin', '192.0.2.4', '10.1.3.0/24'),
      node('d-within', '192.0.2.5', '10.1.3.128/25'),
      node('e-around', '192.0.2.6', '10.1.0.0/16'),
      node('f-of-own', '192.0.2.7', 'fd00:1::/64'),
      node('g-underlay', '192.0.2.8', '192.0.2.0/24'),
      node('h-nonsense', '192.0.2.9', 'everything'),
      node('i-same-address', '192.0.2.1', '10.1.4.0/24'),
    );
    assert.deepEqual(
      peers.map(({ name }) => name),
      ['b-good'],
    );
    const why = Object.fromEntries(refused.map(({ name, why }) => [name, why]));
    assert.match(why['a-other-family']!, /family of 192\.0\.2\.1/);
    for (const name of ['c-twin', 'd-within', 'e-around']) assert.match(why[name]!, /overlaps.*(b-good|own)/);
    assert.match(why['f-of-own']!, /overlaps with that of node own/);
    assert.match(why['g-underlay']!, /holds the node address/);
    assert.match(why['h-nonsense']!, /Not a range/);
    assert.match(why['i-same-address']!, /that of this node/);
  });

  it('gives each node a hardware address of its own that is local and of one host', () => {
    const macs = Array.from({ length: 200 }, (_, index) => vxlanMac(`node-${index}`));
    assert.equal(new Set(macs).size, 200);
    for (const mac of macs) assert.equal(parseInt(mac.slice(0, 2), 16) & 3, 2);
  });
});

describe('a Node object', () => {
  it('is read for what matters, and what is malformed is left out', () => {
    assert.deepEqual(clusterNodeOf({ metadata: { name: 'a' } }), { name: 'a', addresses: [], podCidrs: [] });
    assert.deepEqual(
      clusterNodeOf({
        metadata: { name: 'a' },
        spec: { podCIDR: '10.0.0.0/24' },
        status: {
          addresses: [
            { type: 'ExternalIP', address: '198.51.100.1' },
            { type: 'InternalIP', address: 'nonsense' },
            { type: 'InternalIP', address: 7 },
            'nonsense',
            { type: 'InternalIP', address: '192.0.2.1' },
          ],
        },
      }),
      { name: 'a', addresses: ['192.0.2.1'], podCidrs: ['10.0.0.0/24'] },
    );
    for (const nonsense of [undefined, null, 'a', [], {}, { metadata: { name: 7 } }])
      assert.equal(clusterNodeOf(nonsense), undefined);
  });
});
