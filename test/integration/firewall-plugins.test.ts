import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../cni/config-list.ts';
import type { PodInterface } from '../../cni/network-list.ts';
import { PluginRunner } from '../../cni/plugin-runner.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { inNetns } from '../../native/namespaces.ts';
import type { FirewallKind } from '../../network/firewall.ts';
import { dropForwards, flush, hasLegacyTables, KINDS, onNode, rulesBy } from '../fakes/firewalls.ts';
import { dial } from '../fakes/node-network.ts';
import { PluginRig } from '../fakes/plugin-rig.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

const BERTH = fileURLToPath(new URL('../../bin/berth', import.meta.url));
const WEB = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 8443, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' },
  { hostPort: 53, containerPort: 53, protocol: 'udp' },
  { hostPort: 99, containerPort: 9, protocol: 'sctp' },
];
const kinds = KINDS.filter((each) => each !== 'iptables-legacy' || hasLegacyTables());

describeInOwnNamespaces('the plugins by each firewall backend', import.meta.url, () => {
  const rigs: PluginRig[] = [];
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    for (const rig of rigs.splice(0)) {
      rig.clear('cni0');
      await rig.close();
    }
    flush();
  });
  const open = async (kind: FirewallKind): Promise<PluginRig> => {
    const rig = await PluginRig.open(kind);
    rigs.push(rig);
    return rig;
  };
  const list = (rig: PluginRig) =>
    rig.list([
      {
        type: 'bridge',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: rigs[0]!.dataDir,
          ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'firewall' },
    ]);
  const serve = (pod: PodInterface, name: string): void => {
    const server = createServer((socket) =>
      socket.end(`${name} ${socket.remoteAddress?.replace('::ffff:', '')}`),
    );
    inNetns(pod.netns, () => server.listen(80));
    servers.push(server);
  };
  const outside = (rig: PluginRig): PodInterface => {
    const pod = rig.pod('outside');
    onNode('ip', 'link', 'add', 'world', 'type', 'veth', 'peer', 'name', 'node', 'netns', pod.netns);
    onNode('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'world');
    onNode('ip', 'link', 'set', 'world', 'up');
    for (const words of [
      'addr add 192.0.2.2/24 dev node',
      'link set node up',
      'route add default via 192.0.2.1',
    ])
      rig.inPod(pod, 'ip', ...words.split(' '));
    return pod;
  };
  // Chains that all pods share stay, as the reference plugins leave them.
  const POD_RULE = /web|other|10\.88\.0\.[1-9]|fd00:88::[1-9]|8080/;

  for (const kind of kinds)
    describe(kind, () => {
      it('let a pod through where others drop what they forward', async () => {
        const rig = await open(kind);
        dropForwards(kind);
        const pod = rig.pod('web');
        const result = await rig.add(rig.ours, list(rig), pod);
        await rig.check(rig.ours, list(rig), pod, result);
        const world = outside(rig);
        serve(world, 'world');
        assert.equal(await dial(pod.netns, '192.0.2.2', 80), 'world 192.0.2.1');
        await rig.del(rig.ours, list(rig), pod, result);
        assert.doesNotMatch(rulesBy(kind), POD_RULE);
      });

      it('lead host ports to the pod, masquerade it, and leave nothing', async () => {
        const rig = await open(kind);
        const pod = rig.pod('web', { portMappings: WEB });
        const other = rig.pod('other');
        const [result, second] = [
          await rig.add(rig.ours, list(rig), pod),
          await rig.add(rig.ours, list(rig), other),
        ];
        await rig.check(rig.ours, list(rig), pod, result);
        serve(pod, 'web');
        const world = outside(rig);
        serve(world, 'world');
        assert.equal(await dial(world.netns, '192.0.2.1', 8080), 'web 192.0.2.2');
        assert.equal(await dial(undefined, '127.0.0.1', 8080), 'web 10.88.0.1');
        assert.equal(await dial(undefined, '127.0.0.1', 8443), 'web 10.88.0.1');
        await assert.rejects(dial(world.netns, '192.0.2.1', 8443));
        assert.equal(await dial(other.netns, '192.0.2.1', 8080), 'web 10.88.0.1');
        assert.equal(await dial(pod.netns, '192.0.2.1', 8080), 'web 10.88.0.1', 'hairpin');
        assert.equal(await dial(other.netns, '10.88.0.2', 80), 'web 10.88.0.3', 'not masqueraded');
        assert.equal(await dial(other.netns, 'fd00:88::1', 8080), 'web fd00:88::1');
        assert.equal(await dial(pod.netns, '192.0.2.2', 80), 'world 192.0.2.1', 'masqueraded');
        assert.match(rulesBy(kind), /web/, 'tagged');
        await rig.del(rig.ours, list(rig), pod, result);
        await assert.rejects(dial(undefined, '127.0.0.1', 8080));
        await assert.rejects(rig.check(rig.ours, list(rig), pod, result));
        assert.equal(await dial(other.netns, '192.0.2.2', 80), 'world 192.0.2.1');
        await rig.del(rig.ours, list(rig), other, second);
        await rig.del(rig.ours, list(rig), other, second);
        assert.doesNotMatch(rulesBy(kind), POD_RULE);
      });

      it('find out that somebody flushed the rules, and take away what is left', async () => {
        const rig = await open(kind);
        const pod = rig.pod('web', { portMappings: WEB });
        const result = await rig.add(rig.ours, list(rig), pod);
        flush();
        await assert.rejects(rig.check(rig.ours, list(rig), pod, result), /gone/);
        const other = rig.pod('other', {
          portMappings: [{ hostPort: 8081, containerPort: 80, protocol: 'tcp' }],
        });
        const second = await rig.add(rig.ours, list(rig), other);
        await rig.check(rig.ours, list(rig), other, second);
        serve(other, 'other');
        assert.equal(await dial(undefined, '127.0.0.1', 8081), 'other 10.88.0.1');
        await rig.del(rig.ours, list(rig), pod, result);
        await rig.del(rig.ours, list(rig), other, second);
        assert.doesNotMatch(rulesBy(kind), POD_RULE);
      });

      it('give a port to the next pod while the one before has not left', async () => {
        const rig = await open(kind);
        const before = rig.pod('web', { portMappings: WEB });
        const first = await rig.add(rig.ours, list(rig), before);
        const after = rig.pod('other', { portMappings: WEB });
        const second = await rig.add(rig.ours, list(rig), after);
        await rig.del(rig.ours, list(rig), before, first);
        serve(after, 'other');
        assert.equal(await dial(undefined, '127.0.0.1', 8080), 'other 10.88.0.1');
        await rig.check(rig.ours, list(rig), after, second);
        await rig.del(rig.ours, list(rig), after, second);
        assert.doesNotMatch(rulesBy(kind), POD_RULE);
      });

      it('take away the rules of a pod whose namespace and result are lost', async () => {
        const rig = await open(kind);
        const pod = rig.pod('web', { portMappings: WEB });
        const plugins = rig.list((list(rig).plugins as JsonObject[]).slice(0, 2));
        await rig.add(rig.ours, plugins, pod);
        await rig.del(rig.ours, plugins, { ...pod, netns: '' }, undefined);
        assert.doesNotMatch(rulesBy(kind), POD_RULE);
      });

      for (const next of kinds.filter((each) => each !== kind))
        it(`leave a pod to ${next} that came by ${kind}`, async () => {
          const rig = await open(kind);
          if (kind === 'nftables') dropForwards(kind);
          const pod = rig.pod('web', { portMappings: WEB });
          const result = await rig.add(rig.ours, list(rig), pod);
          assert.match(rulesBy(kind), POD_RULE);
          const later = await open(next);
          await later.del(later.ours, list(later), pod, result);
          assert.doesNotMatch(rulesBy(kind), POD_RULE);
          if (kind === 'nftables')
            assert.doesNotMatch(rulesBy(kind), /berth/, 'the table goes with its last pod');
        });
    });

  it('serve as programs where iptables is not installed', async () => {
    const rig = await open('nftables');
    const bin = join(rig.directory, 'bin');
    mkdirSync(bin);
    onNode(BERTH, 'cni', 'install', bin);
    const exits = await ExitWatcher.start();
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      const programs = new PluginRunner(exits, [bin]);
      const pod = rig.pod('web', { portMappings: WEB });
      const result = await rig.add(programs, list(rig), pod);
      await rig.check(programs, list(rig), pod, result);
      process.env['PATH'] = path;
      serve(pod, 'web');
      assert.equal(await dial(undefined, '127.0.0.1', 8080), 'web 10.88.0.1');
      process.env['PATH'] = '/nowhere';
      await rig.del(programs, list(rig), pod, result);
    } finally {
      process.env['PATH'] = path;
      await exits.close();
    }
    assert.doesNotMatch(rulesBy('nftables'), POD_RULE);
  });

  it('refuse what only the other backend could do', async () => {
    const rig = await open('nftables');
    const bridge = (list(rig).plugins as JsonObject[])[0]!;
    for (const odd of [{ conditionsV4: ['-i', 'eth0'] }, { externalSetMarkChain: 'X' }, { backend: 'odd' }]) {
      const portmap = { type: 'portmap', capabilities: { portMappings: true }, ...odd };
      const pod = rig.pod('a', { portMappings: WEB });
      await assert.rejects(rig.add(rig.ours, rig.list([bridge, portmap]), pod), /code 7/);
    }
  });
});
