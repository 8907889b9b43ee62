import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FirewallKind } from '../../network/firewall.ts';
import type { HostPort } from '../../network/pod-network.ts';
import { dropForwards, flush, hasLegacyTables, KINDS, onNode, rulesBy } from '../fakes/firewalls.ts';
import { clearLinks, dial, NodeNetworkRig, runIn, tcp } from '../fakes/node-network.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

const RANGES = '10.1.0.0/24,fd00:1::/64';
describeInOwnNamespaces('the bridge network by each firewall backend', import.meta.url, () => {
  let rig: NodeNetworkRig;
  beforeEach(async () => {
    rig = await NodeNetworkRig.open();
  });
  afterEach(async () => {
    await rig.close();
    clearLinks();
    flush();
  });

  if (!hasLegacyTables())
    it('says so when the kernel lacks the legacy tables', async () => {
      rig.firewall = 'iptables-legacy';
      const network = await rig.network(RANGES);
      await assert.rejects(network.attach(rig.pod('a')), { kind: 'precondition', message: /no tables/ });
    });

  const kinds = KINDS.filter((each) => each !== 'iptables-legacy' || hasLegacyTables());
  for (const kind of kinds)
    describe(kind, () => {
      beforeEach(() => (rig.firewall = kind));
      const rules = (): string => rulesBy(kind);

      it('leads host ports to pods, and masquerades them to the world', async () => {
        const network = await rig.network(RANGES);
        await network.start();
        const range = { podCidr: RANGES, by: 'configuration' };
        assert.deepEqual(network.status(), { ready: true, reason: '', message: '', range });
        const outside = rig.outside();
        const other = rig.pod('other');
        await network.attach(other);
        const before = rules();
        const more: HostPort[] = (['udp', 'sctp'] as const).map((protocol) => ({ ...tcp(53, 53), protocol }));
        const pod = rig.pod('web', [tcp(8080, 80), tcp(8081, 80, '192.0.2.1'), ...more]);
        await network.attach(pod);
        rig.serve(pod.netnsPath, 80, 'web');
        rig.serve(outside, 81, 'outside');
        assert.equal(await dial(outside, '192.0.2.1', 8080), 'web 192.0.2.2');
        assert.equal(await dial(outside, '192.0.2.1', 8081), 'web 192.0.2.2');
        assert.equal(await dial(undefined, '127.0.0.1', 8080), 'web 10.1.0.1');
        assert.equal(await dial(undefined, '192.0.2.1', 8080), 'web 192.0.2.1');
        await assert.rejects(dial(undefined, '127.0.0.1', 8081), 'bound to one address of the node');
        assert.equal(await dial(other.netnsPath, '192.0.2.1', 8080), 'web 10.1.0.1');
        assert.equal(await dial(pod.netnsPath, '192.0.2.1', 8080), 'web 10.1.0.1', 'hairpin');
        assert.equal(await dial(other.netnsPath, '10.1.0.3', 80), 'web 10.1.0.2', 'not masqueraded');
        assert.equal(await dial(other.netnsPath, 'fd00:1::1', 8080), 'web fd00:1::1');
        assert.equal(await dial(pod.netnsPath, 'fd00:1::1', 8080), 'web fd00:1::1', 'hairpin of IPv6');
        assert.equal(await dial(other.netnsPath, '192.0.2.2', 81), 'outside 192.0.2.1', 'masqueraded');
        assert.match(rules(), /sctp[^\n]*53/);
        assert.match(rules(), /berth:web/, 'tagged');
        await network.detach(pod, undefined);
        await assert.rejects(dial(undefined, '127.0.0.1', 8080));
        const told = (text: string): string => text.replaceAll(/^#.*|\[\d+:\d+\]/gm, '');
        assert.equal(told(rules()), told(before), 'nothing is left of it');
      });

      it('leads a datagram', async () => {
        const network = await rig.network(RANGES);
        const pod = rig.pod('dns', [{ ...tcp(5353, 53), protocol: 'udp' }]);
        await network.attach(pod);
        const script = `const { createSocket } = require('node:dgram');
          const s = createSocket('udp4').bind(53, () => {
            const { spawn } = require('node:child_process');
            const ask = "const c = require('node:dgram').createSocket('udp4'); c.on('message', (m) => { console.log(String(m)); c.close(); }); c.send('?', 5353, '127.0.0.1'); setTimeout(() => process.exit(1), 3000).unref();";
            const child = spawn('nsenter', ['--net=/proc/${process.pid}/ns/net', process.execPath, '-e', ask], { stdio: 'inherit' });
            child.on('exit', (code) => process.exit(code));
          });
          s.on('message', (_, r) => s.send('answer', r.port, r.address));`;
        const said = await runIn(pod.netnsPath, [process.execPath, '-e', script]);
        assert.equal(said.trim(), 'answer');
      });

      it('keeps pods away from services on the loopback of the node', async () => {
        const network = await rig.network('10.1.0.0/24');
        const pod = rig.pod('web', [tcp(8080, 80)]);
        await network.attach(pod);
        rig.serve('/proc/self/ns/net', 6443, 'node');
        const martian = `ip addr del 127.0.0.1/8 dev lo; ip route del local 127.0.0.0/8 table local
          ip route add 127.0.0.1 via 10.1.0.1; echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet`;
        await runIn(pod.netnsPath, ['sh', '-c', martian]);
        await assert.rejects(dial(pod.netnsPath, '127.0.0.1', 6443));
      });

      it('mends what somebody flushed', async () => {
        const network = await rig.network(RANGES);
        const pod = rig.pod('web', [tcp(8080, 80)]);
        await network.attach(pod);
        const before = rules();
        flush();
        const again = await rig.network(RANGES);
        await again.start();
        assert.deepEqual(bare(rules()), bare(before));
        rig.serve(pod.netnsPath, 80, 'web');
        assert.equal(await dial(undefined, '127.0.0.1', 8080), 'web 10.1.0.1');
      });

      it('mends a single loss', async () => {
        const network = await rig.network(RANGES);
        await network.attach(rig.pod('web', [tcp(8080, 80)]));
        const before = rules();
        const program = kind === 'nftables' ? 'nft' : kind;
        const lose: Record<FirewallKind, string[]> = {
          iptables: ['-t', 'nat', '-F', 'BERTH-MASQ'],
          'iptables-legacy': ['-t', 'nat', '-F', 'BERTH-MASQ'],
          nftables: ['delete', 'element', 'ip', 'berth', 'ports', '{ tcp . 8080 }'],
        };
        onNode(program, ...lose[kind]);
        assert.notDeepEqual(bare(rules()), bare(before));
        const again = await rig.network(RANGES);
        await again.start();
        assert.deepEqual(bare(rules()), bare(before));
      });

      it('accepts forwards where others drop them', async () => {
        dropForwards(kind);
        const network = await rig.network(RANGES);
        await network.start();
        const pod = rig.pod('web', [tcp(8080, 80)]);
        await network.attach(pod);
        const outside = rig.outside();
        rig.serve(pod.netnsPath, 80, 'web');
        rig.serve(outside, 81, 'outside');
        assert.equal(await dial(outside, '192.0.2.1', 8080), 'web 192.0.2.2');
        assert.equal(await dial(pod.netnsPath, '192.0.2.2', 81), 'outside 192.0.2.1');
        // Not from the world to a pod without a host port.
        await runIn(outside, ['ip', 'route', 'replace', '10.1.0.0/24', 'via', '192.0.2.1']);
        await assert.rejects(dial(outside, '10.1.0.2', 80));
        const once = rules();
        const again = await rig.network(RANGES);
        await again.start();
        const uncounted = (text: string): string =>
          text.replaceAll(/packets \d+ bytes \d+|\[.*\]|^#.*/gm, '');
        assert.equal(uncounted(rules()), uncounted(once), 'written once');
      });

      it('finds again after a kill -9 what it had made, and takes it away', async () => {
        const script = `
          import { NodeNetworkRig } from ${JSON.stringify(import.meta.resolve('../fakes/node-network.ts'))};
          const rig = await NodeNetworkRig.open();
          rig.firewall = '${kind}';
          const network = await rig.network('${RANGES}');
          for (const n of [1, 2, 3])
            await network.attach(rig.pod('p' + n, [{ protocol: 'tcp', hostPort: 9000 + n, containerPort: 80, hostIp: '' }]));
          console.log(rig.directory);
          process.kill(process.pid, 'SIGKILL');`;
        const file = join(rig.directory, 'killed.mts');
        writeFileSync(file, script);
        const killed = spawnSync(process.execPath, [file], { encoding: 'utf8' });
        assert.equal(killed.signal, 'SIGKILL', killed.stderr);
        for (const id of ['p1', 'p2', 'p3']) assert.match(rules(), new RegExp(`berth:${id}"`));
        rig.takeOver(killed.stdout.trim());
        const network = await rig.network(RANGES);
        await network.gc(new Set(['p2']));
        await network.start();
        assert.match(rules(), /berth:p2"/);
        assert.doesNotMatch(rules(), /berth:p[13]"/);
        await network.gc(new Set());
        assert.doesNotMatch(rules(), /berth:p/);
      });

      for (const next of kinds.filter((each) => each !== kind))
        it(`hands over to ${next} at a restart`, async () => {
          dropForwards(kind);
          const network = await rig.network(RANGES);
          const pod = rig.pod('web', [tcp(8080, 80)]);
          await network.attach(pod);
          assert.match(rules(), /berth:web/);
          const other = await rig.network(RANGES, { firewall: next });
          await other.start();
          assert.match(rulesBy(next), /berth:web/);
          assert.doesNotMatch(rules(), /berth|BERTH/i);
          flushPolicies(kind);
          rig.serve(pod.netnsPath, 80, 'web');
          assert.equal(await dial(undefined, '127.0.0.1', 8080), 'web 10.1.0.1');
          await other.detach(pod, undefined);
          assert.doesNotMatch(rulesBy(next), /berth:web/);
        });
    });
});

/** What `dropForwards` did. */
function flushPolicies(kind: FirewallKind): void {
  if (kind === 'nftables')
    for (const family of ['ip', 'inet']) onNode('nft', 'delete', 'table', family, 'site');
  else onNode(kind, '-P', 'FORWARD', 'ACCEPT');
}

/** The rules without what counts and tells the time, in any order. */
function bare(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !/^[#:]/.test(line))
    .sort();
}
