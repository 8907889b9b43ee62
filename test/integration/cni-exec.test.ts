import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuiltInPlugins } from '../../cni/built-in-plugins.ts';
import { CNI_VERSIONS, type JsonObject } from '../../cni/config-list.ts';
import type { Fault } from '../../ground/fault.ts';
import { PluginError } from '../../cni/plugin-error.ts';
import { PluginRunner } from '../../cni/plugin-runner.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { ownPlugins } from '../../network/plugins/own-plugins.ts';
import { PluginRig } from '../fakes/plugin-rig.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';

const BERTH = fileURLToPath(new URL('../../bin/berth', import.meta.url));
const DEBIAN = '/usr/lib/cni';

describeInOwnNamespaces("Debian's plugins by exec, and beside ours", import.meta.url, () => {
  let rig: PluginRig;
  let exits: ExitWatcher;
  beforeEach(async () => {
    rig = await PluginRig.open();
    exits = await ExitWatcher.start();
    spawnSync('ip', ['link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'far']);
    for (const link of ['uplink', 'far']) spawnSync('ip', ['link', 'set', link, 'up']);
  });
  afterEach(async () => {
    rig.clear('cni0', 'uplink');
    await exits.close();
    await rig.close();
  });

  const hostLocal = (): JsonObject => ({
    type: 'host-local',
    dataDir: rig.dataDir,
    ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  });
  const fixed = { type: 'static', addresses: [{ address: '10.88.0.77/24', gateway: '10.88.0.1' }] };
  const bridge = (ipam: JsonObject): JsonObject => ({ type: 'bridge', isGateway: true, ipMasq: true, ipam });
  /** Whether this kernel has links of a kind. */
  const has = (kind: string, ...more: string[]): boolean => {
    const { status } = spawnSync('ip', 'link add link uplink name probe type'.split(' ').concat(kind, more));
    if (status === 0) spawnSync('ip', ['link', 'del', 'probe']);
    return status === 0;
  };

  const LINKS: [type: string, own: JsonObject, supported: () => boolean][] = [
    ['macvlan', { mode: 'bridge' }, () => has('macvlan')],
    ['ipvlan', { mode: 'l2' }, () => has('ipvlan')],
    ['vlan', { vlanId: 5 }, () => has('vlan', 'id', '5')],
  ];
  for (const [type, own, supported] of LINKS)
    it(`${type} gives the pod its link, or says clearly that the kernel has none`, async () => {
      const list = rig.list([{ type, master: 'uplink', ...own, ipam: hostLocal() }]);
      const pod = rig.pod('a');
      if (supported()) {
        const result = await rig.add(rig.reference, list, pod);
        assert.match(
          rig.inPod(pod, 'ip', '-d', 'addr', 'show', 'eth0'),
          new RegExp(`${type}[^]*10\\.88\\.0\\.2/24`),
        );
        await rig.check(rig.reference, list, pod, result);
        await rig.del(rig.reference, list, pod, result);
      } else
        await assert.rejects(rig.add(rig.reference, list, pod), (error: Fault) => {
          assert.ok(error.cause instanceof PluginError);
          assert.match(
            error.message,
            new RegExp(`CNI plugin ${type}: ADD failed: code \\d+: .*not supported`),
          );
          return true;
        });
      assert.doesNotMatch(rig.inPod(pod, 'ip', 'link'), /eth0/);
      assert.deepEqual(
        rig.files().filter((line) => /\/10\.88/.test(line)),
        [],
      );
    });

  it('loopback brings lo up and down', async () => {
    const [list, pod] = [rig.list([{ type: 'loopback' }]), rig.pod('a')];
    rig.inPod(pod, 'ip', 'link', 'set', 'lo', 'down');
    const result = await rig.add(rig.reference, list, pod);
    assert.match(rig.inPod(pod, 'ip', 'link', 'show', 'lo'), /LOOPBACK,UP/);
    await rig.del(rig.reference, list, pod, result);
  });

  // A list in which every second plugin is the other side's, and both ways round.
  const mixed = (own: string[], cniVersion: string): JsonObject[] => {
    const plugins: (JsonObject & { type: string })[] = [
      { ...bridge(hostLocal()), type: 'bridge' },
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'tuning', dataDir: rig.dataDir, mtu: 1400 },
      // Debian's firewall speaks 0.4.0 and 1.0.0 alone.
      ...(cniVersion < '0.4' && !own.includes('firewall') ? [] : [{ type: 'firewall' }]),
      { type: 'bandwidth', ingressRate: 8_000_000, ingressBurst: 800_000 },
    ];
    return plugins.map((plugin) => ({ ...plugin, 'berth.exec': !own.includes(plugin.type) }));
  };
  // What Debian's plugins speak.
  for (const version of CNI_VERSIONS.filter((each) => each !== '1.1.0'))
    for (const own of [
      ['bridge', 'tuning', 'bandwidth'],
      ['portmap', 'firewall'],
    ])
      it(`a list of version ${version} with ${own.join(', ')} in process`, async () => {
        const caller = new BuiltInPlugins(
          ownPlugins({ firewall: rig.firewall }),
          new PluginRunner(exits, [DEBIAN]),
        );
        const list = rig.list(mixed(own, version), version);
        const pod = rig.pod('a', {
          portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
        });
        const result = await rig.add(caller, list, pod);
        assert.equal(result['cniVersion'], version);
        assert.equal(JSON.stringify(result).includes('"version":"4"'), version < '1');
        assert.match(rig.inPod(pod, 'ip', 'addr', 'show', 'eth0'), /mtu 1400[^]*10\.88\.0\.2\/24/);
        assert.match(rig.onNode('iptables-save'), /--dport 8080/);
        // Debian's portmap finds fault in CHECK with rules that it has made itself.
        const sound = list.plugins.filter(({ type }) => type !== 'portmap' || own.includes(type));
        await rig.check(caller, { ...list, plugins: sound }, pod, result);
        await rig.del(caller, list, pod, result);
        assert.doesNotMatch(rig.inPod(pod, 'ip', 'link'), /eth0/);
        assert.doesNotMatch(rig.onNode('iptables-save'), /--dport 8080|10\.88\.0\.2\//);
        assert.doesNotMatch(rig.onNode('ip6tables-save'), /--dport 8080|fd00:88::2/);
      });

  it('our bridge takes addresses from a foreign IPAM plugin, in process and as a program', async () => {
    const bin = join(rig.directory, 'bin');
    mkdirSync(bin);
    assert.equal(spawnSync(BERTH, ['cni', 'install', bin]).status, 0);
    symlinkSync(join(DEBIAN, 'static'), join(bin, 'static'));
    const programs = new PluginRunner(exits, [bin]);
    for (const caller of [new BuiltInPlugins(ownPlugins({ firewall: rig.firewall }), programs), programs]) {
      const [list, pod] = [rig.list([bridge(fixed)]), rig.pod('a')];
      const result = await rig.add(caller, list, pod);
      assert.match(rig.inPod(pod, 'ip', 'addr', 'show', 'eth0'), /10\.88\.0\.77\/24/);
      await rig.check(caller, list, pod, result);
      await rig.del(caller, list, pod, result);
      assert.doesNotMatch(rig.onNode('iptables-save', '-t', 'nat'), /10\.88\.0\.77/);
    }
  });

  it("a foreign plugin finds our IPAM by CNI_PATH, and both sides' host-local share a node", async () => {
    const bin = join(rig.directory, 'bin');
    mkdirSync(bin);
    assert.equal(spawnSync(BERTH, ['cni', 'install', bin]).status, 0);
    // Their bridge and our host-local; then their host-local on the same directory.
    const theirs = join(rig.directory, 'theirs');
    mkdirSync(theirs);
    symlinkSync(join(DEBIAN, 'macvlan'), join(theirs, 'macvlan'));
    symlinkSync(join(DEBIAN, 'bridge'), join(theirs, 'bridge'));
    const ours = new PluginRunner(exits, [theirs, bin]);
    const list = rig.list([bridge(hostLocal())]);
    const [a, b] = [rig.pod('a'), rig.pod('b')];
    const first = await rig.add(ours, list, a);
    const second = await rig.add(rig.reference, list, b);
    assert.match(rig.inPod(a, 'ip', 'addr', 'show', 'eth0'), /10\.88\.0\.2\/24/);
    assert.match(rig.inPod(b, 'ip', 'addr', 'show', 'eth0'), /10\.88\.0\.3\/24/);
    await rig.del(rig.reference, list, a, first);
    await rig.del(ours, list, b, second);
    assert.deepEqual(
      rig.files().filter((line) => /\/10\.88/.test(line)),
      [],
    );
  });
});
