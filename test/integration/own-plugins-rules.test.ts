import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { JsonObject } from '../../cni/config-list.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { PluginRig } from '../fakes/plugin-rig.ts';

const PORTS = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 8443, containerPort: 443, protocol: 'tcp', hostIP: '127.0.0.1' },
  { hostPort: 53, containerPort: 53, protocol: 'udp' },
  { hostPort: 99, containerPort: 9, protocol: 'sctp' },
  { hostPort: 8081, containerPort: 80, protocol: 'tcp', hostIP: '::1' },
];
const OTHER_PORTS = [{ hostPort: 9090, containerPort: 80, protocol: 'tcp' }];

describeInOwnNamespaces('portmap and firewall beside the reference plugins', import.meta.url, () => {
  let rig: PluginRig;
  beforeEach(async () => (rig = await PluginRig.open()));
  afterEach(async () => {
    rig.clear('cni0');
    await rig.close();
  });

  const bridge = (dual = true): JsonObject => ({
    type: 'bridge',
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    ipam: {
      type: 'host-local',
      dataDir: rig.dataDir,
      ranges: [[{ subnet: '10.88.0.0/24' }], ...(dual ? [[{ subnet: 'fd00:88::/64' }]] : [])],
      routes: [{ dst: '0.0.0.0/0' }, ...(dual ? [{ dst: '::/0' }] : [])],
    },
  });
  const portmap = (more: JsonObject = {}): JsonObject => ({
    type: 'portmap',
    capabilities: { portMappings: true },
    ...more,
  });

  const CASES: Record<string, () => JsonObject[]> = {
    'port mappings': () => [bridge(), portmap()],
    'port mappings, IPv4 alone': () => [bridge(false), portmap()],
    'port mappings without snat': () => [bridge(), portmap({ snat: false })],
    'a mark of its own': () => [bridge(), portmap({ markMasqBit: 5 })],
    conditions: () => [bridge(), portmap({ conditionsV4: ['!', '-d', '192.0.2.0/24'] })],
    'a firewall': () => [bridge(), { type: 'firewall' }],
    'a firewall with a chain of the operator': () => [
      bridge(),
      { type: 'firewall', iptablesAdminChainName: 'SITE-RULES' },
    ],
    'all in one list': () => [bridge(), portmap(), { type: 'firewall' }],
  };
  for (const [title, plugins] of Object.entries(CASES))
    it(`leave the same in the kernel with ${title}`, async () => {
      const list = rig.list(plugins());
      const seen: Record<string, unknown>[] = [];
      for (const caller of [rig.reference, rig.ours]) {
        rig.clear('cni0');
        const a = rig.pod('a', { portMappings: PORTS });
        const b = rig.pod('b', { portMappings: OTHER_PORTS });
        const results = [await rig.add(caller, list, a), await rig.add(caller, list, b)];
        await rig.settle();
        const both = rig.state(a, b);
        // The reference portmap finds fault with rules that it has made itself, when a pod has one family alone.
        if (caller === rig.ours) await rig.check(caller, list, b, results[1]!);
        await rig.del(caller, list, a, results[0]);
        const one = rig.state(b);
        await rig.del(caller, list, b, results[1]);
        await rig.del(caller, list, b, results[1]);
        seen.push({ said: results.map((result) => rig.named(result)), both, one, none: rig.state() });
      }
      assert.deepEqual(seen[1], seen[0]);
    });

  it('start no program for a pod without host ports', async () => {
    const list = rig.list([{ ...bridge(), ipMasq: false }, portmap()]);
    const pod = rig.pod('a', { portMappings: [{ hostPort: 0, containerPort: 80, protocol: 'tcp' }] });
    const before = spawnSync('iptables-save', { encoding: 'utf8' }).stdout;
    const result = await rig.add(rig.ours, list, pod);
    assert.equal(spawnSync('iptables-save', { encoding: 'utf8' }).stdout, before);
    await rig.del(rig.ours, list, pod, result);
  });

  it('put back what somebody else flushed, and remove what is left of it', async () => {
    const list = rig.list([bridge(), portmap(), { type: 'firewall' }]);
    const a = rig.pod('a', { portMappings: PORTS });
    const first = await rig.add(rig.ours, list, a);
    for (const family of ['iptables', 'ip6tables'])
      for (const table of ['nat', 'filter'])
        for (const what of ['-F', '-X']) spawnSync(family, ['-t', table, what]);
    await assert.rejects(rig.check(rig.ours, list, a, first), /rules of the port mappings are gone/);
    const b = rig.pod('b', { portMappings: OTHER_PORTS });
    const second = await rig.add(rig.ours, list, b);
    await rig.check(rig.ours, list, b, second);
    await rig.del(rig.ours, list, a, first);
    await rig.del(rig.ours, list, b, second);
    for (const key of ['node rules4', 'node rules6'])
      assert.doesNotMatch(rig.state()[key]!.join('\n'), /CNI-DN|CNI-[0-9a-f]|10\.88\.0\.\d+\/32|fd00/);
  });

  it('remove the rules of a pod whose namespace and result are lost', async () => {
    const list = rig.list([bridge(), portmap()]);
    const pod = rig.pod('a', { portMappings: PORTS });
    await rig.add(rig.ours, list, pod);
    await rig.del(rig.ours, list, { ...pod, netns: '' }, undefined);
    for (const key of ['node rules4', 'node rules6'])
      assert.doesNotMatch(rig.state()[key]!.join('\n'), /CNI-DN|id: /);
  });

  it('refuse what the reference plugins refuse', async () => {
    const capabilities = { portMappings: [{ hostPort: 80_000, containerPort: 80, protocol: 'tcp' }] };
    const refused: [JsonObject[], Record<string, unknown>][] = [
      [[bridge(), portmap()], capabilities],
      [[bridge(), portmap({ markMasqBit: 40 })], { portMappings: OTHER_PORTS }],
      [[bridge(), portmap({ markMasqBit: 4, externalSetMarkChain: 'X' })], { portMappings: OTHER_PORTS }],
      [[portmap()], { portMappings: OTHER_PORTS }],
      [[{ type: 'firewall' }], {}],
    ];
    for (const [plugins, offered] of refused) {
      await assert.rejects(
        rig.add(rig.reference, rig.list(plugins), rig.pod('a', offered)),
        JSON.stringify(plugins),
      );
      await assert.rejects(rig.add(rig.ours, rig.list(plugins), rig.pod('a', offered)), /code 7/);
    }
    for (const odd of [{ backend: 'odd' }, { ingressPolicy: 'odd' }])
      await assert.rejects(
        rig.add(rig.ours, rig.list([bridge(), { type: 'firewall', ...odd }]), rig.pod('a')),
        /code 7/,
      );
  });
});
