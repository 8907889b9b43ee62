import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addrAdd, Rtnl } from '../../native/netlink.ts';
import { SILENT } from '../../ground/log.ts';
import { BridgeNetwork } from '../../network/bridge-network.ts';
import { IptablesRules } from '../../network/iptables-rules.ts';
import type { RuleTables } from '../../network/iptables.ts';
import { linkNames } from '../../network/link-names.ts';
import { parsePodRanges } from '../../network/pod-range.ts';
import { clearLinks, dial, NodeNetworkRig, runIn, tcp, until } from '../fakes/node-network.ts';
import { followFlow } from '../fakes/udp-flow.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

describeInOwnNamespaces('the built-in bridge network', import.meta.url, () => {
  let rig: NodeNetworkRig;
  beforeEach(async () => {
    rig = await NodeNetworkRig.open();
  });
  afterEach(async () => {
    await rig.close();
    clearLinks();
    assert.deepEqual([...linkNames()], ['lo']);
    spawnSync('iptables', ['-t', 'nat', '-F']);
  });

  const rules = (): string => spawnSync('iptables-save', { encoding: 'utf8' }).stdout;
  const leases = (): number => rig.records.table('addresses').all().length;
  const podLinks = (): string[] => [...linkNames()].filter((name) => name.startsWith('berth-'));

  it('connects two pods, the node and the world, IPv4 and IPv6', async () => {
    const network = await rig.network('10.1.0.0/24,fd00:1::/64');
    await network.start();
    assert.deepEqual(network.status(), {
      ready: true,
      reason: '',
      message: '',
      range: { podCidr: '10.1.0.0/24,fd00:1::/64', by: 'configuration' },
    });
    const [a, b] = [rig.pod('a'), rig.pod('b')];
    const [atA, atB] = [await network.attach(a), await network.attach(b)];
    assert.deepEqual(atA.addresses, ['10.1.0.2', 'fd00:1::2']);
    assert.deepEqual(atB.addresses, ['10.1.0.3', 'fd00:1::3']);
    rig.serve(b.netnsPath, 80, 'b');
    assert.equal(await dial(a.netnsPath, '10.1.0.3', 80), 'b 10.1.0.2');
    assert.equal(await dial(a.netnsPath, 'fd00:1::3', 80), 'b fd00:1::2');
    assert.equal(await dial(a.netnsPath, '127.0.0.1', 80).catch(() => 'refused'), 'refused');
    assert.equal(await dial(undefined, '10.1.0.3', 80), 'b 10.1.0.1');
    const outside = rig.outside();
    rig.serve(outside, 81, 'outside');
    assert.equal(await dial(a.netnsPath, '192.0.2.2', 81), 'outside 192.0.2.1', 'masqueraded');
  });

  it('leads host ports to pods: from outside, localhost, neighbours and the pod itself', async () => {
    const network = await rig.network('10.1.0.0/24');
    await network.start();
    const outside = rig.outside();
    const other = rig.pod('other');
    await network.attach(other);
    const pod = rig.pod('web', [tcp(8080, 80), tcp(8081, 80, '192.0.2.1')]);
    await network.attach(pod);
    rig.serve(pod.netnsPath, 80, 'web');
    assert.equal(await dial(outside, '192.0.2.1', 8080), 'web 192.0.2.2');
    assert.equal(await dial(outside, '192.0.2.1', 8081), 'web 192.0.2.2');
    assert.equal(await dial(undefined, '127.0.0.1', 8080), 'web 10.1.0.1');
    assert.equal(await dial(undefined, '192.0.2.1', 8080), 'web 192.0.2.1');
    await assert.rejects(dial(undefined, '127.0.0.1', 8081), 'bound to one address of the node');
    assert.equal(await dial(other.netnsPath, '192.0.2.1', 8080), 'web 10.1.0.1');
    assert.equal(await dial(pod.netnsPath, '192.0.2.1', 8080), 'web 10.1.0.1', 'hairpin');
    assert.equal(await dial(other.netnsPath, '10.1.0.3', 80), 'web 10.1.0.2', 'not masqueraded');

    await network.detach(pod, undefined);
    assert.doesNotMatch(rules(), /berth:web/);
    await assert.rejects(dial(undefined, '127.0.0.1', 8080));
    assert.match(rules(), /-j BERTH-HOSTPORTS/);
  });

  it('keeps pods away from services on the loopback of the node', async () => {
    const network = await rig.network('10.1.0.0/24');
    const pod = rig.pod('web', [tcp(8080, 80)]);
    await network.attach(pod);
    rig.serve('/proc/self/ns/net', 6443, 'node');
    assert.equal(await dial(undefined, '127.0.0.1', 6443), 'node 127.0.0.1');
    const martian = `ip addr del 127.0.0.1/8 dev lo; ip route del local 127.0.0.0/8 table local
      ip route add 127.0.0.1 via 10.1.0.1; echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet`;
    await runIn(pod.netnsPath, ['sh', '-c', martian]);
    await assert.rejects(dial(pod.netnsPath, '127.0.0.1', 6443));
  });

  it('refuses a host port that is taken, and names its owner', async () => {
    const network = await rig.network('10.1.0.0/24');
    await network.attach(rig.pod('first', [tcp(8080, 80)]));
    const second = rig.pod('second', [tcp(8080, 90, '192.0.2.1')]);
    await assert.rejects(network.attach(second), {
      kind: 'exists',
      message: /8080\/tcp belongs to sandbox first/,
    });
    assert.equal(leases(), 1);
    await network.attach({ ...second, hostPorts: [{ ...tcp(8080, 90), protocol: 'udp' }] });
    await network.attach(rig.pod('third', [{ ...tcp(8080, 90), protocol: 'sctp' }]));
  });

  it('writes the rules of many pods in few transactions', async () => {
    const network = await rig.network('10.1.0.0/24');
    await network.start();
    const pods = Array.from({ length: 8 }, (_, n) => rig.pod(`p${n}`, [tcp(9000 + n, 80)]));
    await Promise.all(pods.map((pod) => network.attach(pod)));
    for (const pod of pods) assert.match(rules(), new RegExp(`berth:${pod.id}"`));
    await Promise.all(pods.map((pod) => network.detach(pod, undefined)));
    assert.doesNotMatch(rules(), /berth:/);
  });

  it('moves a UDP flow that never pauses from the old pod to the new one', async () => {
    const network = await rig.network('10.1.0.0/24');
    await network.start();
    await followFlow(rig, network);
  });

  it('frees an address when the link is gone, not before', async () => {
    const network = await rig.network('10.1.0.0/29');
    const pods = Array.from({ length: 5 }, (_, n) => rig.pod(`p${n}`));
    for (const pod of pods) await network.attach(pod);
    await assert.rejects(network.attach(rig.pod('late')), { kind: 'exhausted' });
    await network.detach(pods[0]!, undefined);
    // Its namespace still stands.
    await assert.rejects(network.attach(rig.pod('late2')), {
      kind: 'exhausted',
      message: /1 being released/,
    });
    rig.dropNetns(pods[0]!.netnsPath);
    await until(() => leases() === 4);
    assert.deepEqual((await network.attach(rig.pod('late3'))).addresses, ['10.1.0.2']);
    await network.detach(pods[0]!, undefined);
  });

  it('deletes a link whose namespace does not go away', async () => {
    const network = await rig.network('10.1.0.0/29');
    const pod = rig.pod('held');
    const { detail } = await network.attach(pod);
    await network.detach(pod, undefined);
    assert.deepEqual(podLinks(), [detail['link']]);
    await until(() => podLinks().length === 0, 8000);
    await until(() => leases() === 0);
  });

  it('undoes a failed attach, and makes a lost bridge again', async () => {
    const network = await rig.network('10.1.0.0/24');
    await network.start();
    const bad = { ...rig.pod('bad', [tcp(8080, 80)]), netnsPath: '/nowhere' };
    await assert.rejects(network.attach(bad), /ENOENT/);
    const twice = rig.pod('twice');
    const [address] = (await network.attach(twice)).addresses;
    await assert.rejects(network.attach({ ...twice, id: 'again' }), { code: 'EEXIST' });
    assert.equal(leases(), 1);
    assert.doesNotMatch(rules(), /berth:/);
    assert.equal(podLinks().length, 1);

    spawnSync('ip', ['link', 'del', 'berth0']);
    const fresh = rig.pod('fresh');
    await network.attach(fresh);
    rig.serve(twice.netnsPath, 80, 'twice');
    assert.match(await dial(fresh.netnsPath, address!, 80), /^twice/);
  });

  it('finds again after a kill -9 what it had made, and takes it away', async () => {
    const script = `
      import { NodeNetworkRig } from ${JSON.stringify(import.meta.resolve('../fakes/node-network.ts'))};
      const rig = await NodeNetworkRig.open();
      const network = await rig.network('10.1.0.0/24');
      for (const n of [1, 2, 3])
        await network.attach(rig.pod('p' + n, [{ protocol: 'tcp', hostPort: 9000 + n, containerPort: 80, hostIp: '' }]));
      console.log(rig.directory);
      process.kill(process.pid, 'SIGKILL');`;
    const file = join(rig.directory, 'killed.mts');
    writeFileSync(file, script);
    const killed = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    assert.match(rules(), /berth:p1/);
    rig.takeOver(killed.stdout.trim());
    assert.equal(leases(), 3);
    const network = await rig.network('10.1.0.0/24');
    await network.gc(new Set(['p2']));
    await network.start();
    assert.equal(leases(), 1);
    assert.match(rules(), /berth:p2/);
    assert.doesNotMatch(rules(), /berth:p[13]/);
    assert.equal(podLinks().length, 1);
    await network.gc(new Set());
    assert.equal(leases(), 0);
    assert.doesNotMatch(rules(), /berth:p/);
    assert.deepEqual(podLinks(), []);
  });

  it('mends rules that somebody flushed, and accepts forwards where the policy drops them', async () => {
    const network = await rig.network('10.1.0.0/24');
    const pod = rig.pod('web', [tcp(8080, 80)]);
    await network.attach(pod);
    const before = rules();
    assert.doesNotMatch(before, /-A FORWARD/);
    spawnSync('iptables', ['-t', 'nat', '-F']);
    spawnSync('iptables', ['-P', 'FORWARD', 'DROP']);
    try {
      const again = await rig.network('10.1.0.0/24');
      await again.start();
      const added = (text: string): string[] =>
        text
          .split('\n')
          .filter((line) => line.startsWith('-A '))
          .sort();
      assert.deepEqual(added(rules()), ['-A FORWARD -j BERTH-FORWARD', ...added(before)].sort());
      const outside = rig.outside();
      rig.serve(pod.netnsPath, 80, 'web');
      rig.serve(outside, 81, 'outside');
      assert.equal(await dial(outside, '192.0.2.1', 8080), 'web 192.0.2.2');
      assert.equal(await dial(pod.netnsPath, '192.0.2.2', 81), 'outside 192.0.2.1');
    } finally {
      spawnSync('iptables', ['-P', 'FORWARD', 'ACCEPT']);
    }
  });

  it('keeps the range that the kubelet gave over a restart, and the MTU of the uplink', async () => {
    using rtnl = new Rtnl();
    spawnSync('ip', ['link', 'add', 'up0', 'mtu', '1400', 'type', 'bridge']);
    const index = rtnl.linkByName('up0')!.index;
    rtnl.exec([addrAdd({ index, address: '198.51.100.2', prefix: 24 })]);
    spawnSync('sh', ['-c', 'ip link set up0 up; ip route add default via 198.51.100.1']);
    const network = await rig.network('');
    await network.start();
    assert.equal(network.status().reason, 'NetworkPluginNotReady');
    await assert.rejects(network.attach(rig.pod('early')), { kind: 'unavailable', message: /pod_cidr/ });
    await assert.rejects(network.setPodCidr('10.1.0.0'), { kind: 'invalid' });
    await network.setPodCidr('10.7.0.0/24');
    assert.equal(network.status().ready, true, network.status().message);
    const again = await rig.network('');
    const pod = rig.pod('a');
    assert.deepEqual((await again.attach(pod)).addresses, ['10.7.0.2']);
    assert.match(await runIn(pod.netnsPath, ['ip', 'link', 'show', 'eth0']), /mtu 1400/);
    assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(), '1');
  });

  it('says what to install when iptables is missing, and serves as soon as it is there', async () => {
    const path = process.env['PATH'];
    const network = await rig.network('10.1.0.0/24', { pollMs: 20 });
    process.env['PATH'] = '/nowhere';
    try {
      await network.start();
      assert.match(network.status().message, /iptables-save is not installed; .*apt install iptables/);
      await assert.rejects(network.attach(rig.pod('a')), { kind: 'precondition' });
    } finally {
      process.env['PATH'] = path;
    }
    await until(() => network.status().ready);
    assert.equal(leases(), 0);
  });

  it('undoes each step of an attach that fails at the next', async () => {
    // The n-th writing of rules fails: the first is the pod's, the second the one that takes them back.
    for (const failing of [[1], [1, 2]]) {
      let writes = 0;
      const tables: RuleTables = {
        family: 4,
        save: () => Promise.resolve(''),
        restore(text) {
          // The whole set is written once at the start.
          if (text.includes('*filter') || !failing.includes(++writes)) return Promise.resolve();
          return Promise.reject(new Error('no rules today'));
        },
      };
      const { records } = rig;
      const network = new BridgeNetwork({
        records,
        log: SILENT,
        bridge: 'berth0',
        rules: [new IptablesRules(tables)],
      });
      network.setRanges(parsePodRanges('10.1.0.0/24'));
      const pod = rig.pod(`failing-${failing.length}`, [tcp(8080, 80)]);
      await assert.rejects(network.attach(pod), /no rules today/);
      assert.deepEqual([leases(), podLinks()], [0, []]);
      const claims = records.table('host-ports').all().length;
      assert.equal(claims, failing.length - 1, 'what could not be undone stays on record');
      await network.detach(pod);
      assert.equal(network.has(pod.id), false);
      await network.close();
    }
  });

  it('ends an attach whose caller has left, without a trace', async () => {
    const network = await rig.network('10.1.0.0/24');
    await network.start();
    const abort = new AbortController();
    const attaching = network.attach(rig.pod('a', [tcp(8080, 80)]), abort.signal);
    abort.abort();
    await assert.rejects(attaching, { name: 'AbortError' });
    assert.equal(leases(), 0);
    assert.doesNotMatch(rules(), /berth:/);
  });

  it('leaves a record that is damaged aside and goes on', async () => {
    rig.records.table('addresses').put('odd', { nonsense: true });
    const network = await rig.network('10.1.0.0/24');
    await network.attach(rig.pod('a'));
    assert.deepEqual(
      rig.records.quarantined.map(({ id }) => id),
      ['odd'],
    );
  });
});
