import assert from 'node:assert/strict';
import { OwnedFd, O, openPath } from './fd.ts';
import { inNetns, isNsfs, makeNetns, removePin } from './namespaces.ts';
import * as netlink from './netlink.ts';
import { ipBytes, ipOf } from './netlink-attributes.ts';
import { threadCases } from './thread-cases.ts';

const PEER_INDEX = 2;

/** A pod's network as a bridge plugin makes it: the pin, and the peer's view of itself. */
function podNetwork(): { pin: string; rtnl: netlink.Rtnl; master: number } {
  const pin = '/tmp/pod';
  makeNetns(pin);
  const rtnl = new netlink.Rtnl();
  rtnl.exec([netlink.bridge({ name: 'br0', mtu: 1400, mac: '02:00:00:00:00:01' })]);
  const master = rtnl.linkByName('br0')!.index;
  using netns = new OwnedFd(openPath(pin, O.RDONLY));
  rtnl.exec([
    netlink.veth({
      host: 'veth0',
      master,
      hostMac: '02:00:00:00:00:02',
      peer: 'eth0',
      peerNetns: netns.fd,
      peerMac: '02:00:00:00:00:03',
      peerIndex: PEER_INDEX,
      mtu: 1400,
    }),
  ]);
  return { pin, rtnl, master };
}

threadCases(import.meta.url, 'netlink', {
  'a bridge and a pair whose peer is born in its namespace'() {
    const { pin, rtnl, master } = podNetwork();
    const veth = rtnl.linkByName('veth0');
    assert.equal(veth?.kind, 'veth');
    assert.equal(veth.master, master);
    assert.equal(veth.mac, '02:00:00:00:00:02');
    assert.equal(veth.up, true);
    assert.equal(rtnl.linkByName('nothing'), undefined);
    assert.deepEqual(
      rtnl.links().map((link) => link.name),
      ['lo', 'br0', 'veth0'],
    );
    inNetns(pin, () => {
      using inside = new netlink.Rtnl();
      const eth0 = inside.linkByName('eth0', { stats: true });
      assert.equal(eth0?.index, PEER_INDEX);
      assert.equal(eth0.mtu, 1400);
      assert.equal(eth0.stats?.rxBytes, 0n);
      assert.equal(inside.linkByName('lo')?.up, true);
    });
    rtnl.exec([netlink.linkHairpin('veth0', true), netlink.linkSet('veth0', { mtu: 1300 })]);
    assert.equal(rtnl.linkByName('veth0')?.mtu, 1300);
    rtnl.exec([netlink.linkDel('veth0')]);
    inNetns(pin, () => {
      using inside = new netlink.Rtnl();
      assert.equal(inside.linkByName('eth0'), undefined);
    });
  },

  'addresses and routes of both families in one datagram'() {
    const { pin, rtnl, master } = podNetwork();
    rtnl.exec([netlink.addrAdd({ index: master, address: '10.9.0.1', prefix: 24 })]);
    inNetns(pin, () => {
      using inside = new netlink.Rtnl();
      inside.exec([
        netlink.addrAdd({ index: PEER_INDEX, address: '10.9.0.2', prefix: 24, broadcast: '10.9.0.255' }),
        netlink.addrAdd({ index: PEER_INDEX, address: 'fd00:9::2', prefix: 64 }),
        netlink.linkUp(PEER_INDEX),
        netlink.routeAdd({ index: PEER_INDEX, gateway: '10.9.0.1' }),
        netlink.routeAdd({ index: PEER_INDEX, gateway: 'fd00:9::1' }),
        netlink.routeAdd({
          index: PEER_INDEX,
          destination: '10.10.0.0/16',
          gateway: '169.254.1.1',
          onlink: true,
        }),
        netlink.routeAdd({ index: PEER_INDEX, destination: '10.11.0.1/32', source: '10.9.0.2', metric: 7 }),
        netlink.neighAdd({ index: PEER_INDEX, address: '10.9.0.1', mac: '02:00:00:00:00:01' }),
      ]);
      const addresses = inside.addrs().filter((a) => a.index === PEER_INDEX);
      const v6 = addresses.find((a) => a.address === 'fd00:9::2');
      assert.deepEqual(addresses.find((a) => a.family === 4)?.address, '10.9.0.2');
      assert.equal(v6?.prefix, 64);
      assert.equal(v6.tentative, false);
      const routes = inside.routes().filter((route) => route.table === 254);
      const to = (destination: string, family: 4 | 6 = 4) =>
        routes.find((route) => route.destination === destination && route.family === family);
      assert.equal(to('default')?.gateway, '10.9.0.1');
      assert.equal(to('default', 6)?.gateway, 'fd00:9::1');
      assert.equal(to('10.10.0.0/16')?.onlink, true);
      assert.equal(to('10.11.0.1/32')?.source, '10.9.0.2');
      assert.equal(to('10.11.0.1/32')?.metric, 7);
      const neighbour = inside.neighbours().find((n) => n.address === '10.9.0.1');
      assert.deepEqual(neighbour, {
        index: PEER_INDEX,
        address: '10.9.0.1',
        mac: '02:00:00:00:00:01',
        permanent: true,
      });
      inside.exec([
        netlink.neighDel({ index: PEER_INDEX, address: '10.9.0.1' }),
        netlink.routeDel({ index: PEER_INDEX, destination: '10.10.0.0/16' }),
        netlink.addrDel({ index: PEER_INDEX, address: 'fd00:9::2', prefix: 64 }),
      ]);
      assert.equal(
        inside.addrs().some((a) => a.address === 'fd00:9::2'),
        false,
      );
    });
  },

  'a failure names its request and carries the words of the kernel; the others are done'() {
    const { rtnl } = podNetwork();
    assert.throws(() => rtnl.exec([netlink.bridge({ name: 'br0' }), netlink.bridge({ name: 'br1' })]), {
      code: 'EEXIST',
      call: 'add bridge br0',
    });
    assert.ok(rtnl.linkByName('br1'));
    assert.throws(
      () => rtnl.exec([netlink.routeAdd({ index: 1, destination: '10.0.0.0/8', gateway: '10.77.0.1' })]),
      /add route 10\.0\.0\.0\/8 via 10\.77\.0\.1: ENETUNREACH: .*\(Nexthop has invalid gateway/,
    );
  },

  'two hundred requests and a dump of more than one datagram'() {
    using rtnl = new netlink.Rtnl();
    const addresses = Array.from({ length: 200 }, (_, i) => `10.1.${i}.1`);
    rtnl.exec(addresses.map((address) => netlink.addrAdd({ index: 1, address, prefix: 24 })));
    assert.deepEqual(
      rtnl.addrs().map((found) => found.address),
      addresses,
    );
  },

  'a pin comes and goes'() {
    const { pin } = podNetwork();
    assert.equal(isNsfs(pin), true);
    removePin(pin);
    assert.equal(isNsfs(pin), false);
    removePin(pin);
  },

  'addresses as bytes and as text'() {
    assert.deepEqual(ipBytes('10.0.0.1'), { family: 2, bytes: Buffer.from([10, 0, 0, 1]) });
    assert.equal(ipOf(ipBytes('fd00:0:0::0001').bytes), 'fd00::1');
    assert.throws(() => ipBytes('10.0.0.256'));
  },
});
