import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { JsonObject } from '../../cni/config-list.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { PluginRig } from '../fakes/plugin-rig.ts';

const V4 = { ranges: [[{ subnet: '10.88.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] };
const DUAL = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const CONFIGURATIONS: Record<string, JsonObject> = {
  plain: { ipam: V4 },
  'a gateway': { isGateway: true, ipam: V4 },
  'the default gateway': { isDefaultGateway: true, ipam: { ranges: V4.ranges } },
  masquerade: { isGateway: true, ipMasq: true, ipam: V4 },
  'masquerade, dual stack': { isGateway: true, ipMasq: true, ipam: DUAL },
  'the default gateway, dual stack': { isDefaultGateway: true, ipam: { ranges: DUAL.ranges } },
  hairpin: { isGateway: true, hairpinMode: true, ipam: V4 },
  'promiscuous mode': { isGateway: true, promiscMode: true, ipam: V4 },
  'an MTU': { isGateway: true, mtu: 1400, ipam: V4 },
  'another name': { bridge: 'odd.name', isGateway: true, ipam: V4 },
};

const PTP: Record<string, JsonObject> = {
  plain: { ipam: V4 },
  masquerade: { ipMasq: true, ipam: V4 },
  'masquerade, dual stack, and an MTU': { ipMasq: true, mtu: 1300, ipam: DUAL },
  'name servers': { dns: { nameservers: ['10.0.0.10'], search: ['a.b'] }, ipam: V4 },
};

describeInOwnNamespaces('ptp and bridge beside the reference plugin', import.meta.url, () => {
  let rig: PluginRig;
  beforeEach(async () => (rig = await PluginRig.open()));
  afterEach(async () => {
    rig.clear('cni0', 'odd.name');
    await rig.close();
  });

  const withData = (own: JsonObject, type = 'bridge'): JsonObject[] => {
    const ipam = own['ipam'] as JsonObject | undefined;
    const plugin = { type, ...own };
    return [
      ipam === undefined
        ? plugin
        : { ...plugin, ipam: { type: 'host-local', dataDir: rig.dataDir, ...ipam } },
    ];
  };

  const cases = [
    ...Object.entries(CONFIGURATIONS).map((each) => ['bridge', ...each] as const),
    ...Object.entries(PTP).map((each) => ['ptp', ...each] as const),
  ];
  for (const [type, title, own] of cases)
    it(`${type} leaves the same in the kernel with ${title}`, async () => {
      const list = rig.list(withData(own, type));
      const seen: Record<string, unknown>[] = [];
      for (const caller of [rig.reference, rig.ours]) {
        rig.clear('cni0', 'odd.name');
        const [a, b] = [rig.pod('a'), rig.pod('b')];
        const results = [await rig.add(caller, list, a), await rig.add(caller, list, b)];
        await rig.settle();
        const both = rig.state(a, b);
        const said = results.map((result) => rig.named(result));
        // A bridge without gateway address may take the hardware address of its next port: the reference plugin then
        // finds the first pod's bridge changed.
        const checked = caller === rig.ours ? [a, b] : [b];
        for (const pod of checked) await rig.check(caller, list, pod, results[pod === a ? 0 : 1]!);
        await rig.del(caller, list, a, results[0]);
        const one = rig.state(b);
        await rig.del(caller, list, b, results[1]);
        await rig.del(caller, list, b, results[1]);
        seen.push({ said, both, one, none: rig.state() });
      }
      assert.deepEqual(seen[1], seen[0]);
    });

  it('gives a pod a link without addresses when there is no IPAM', async () => {
    const [list, pod] = [rig.list([{ type: 'bridge' }]), rig.pod('a')];
    const result = await rig.add(rig.ours, list, pod);
    assert.deepEqual(result['ips'], undefined);
    const { 'a links': links = [], 'a addresses': addresses = [] } = rig.state(pod);
    assert.match(links.join(), /"ifname":"eth0","flags":\["BROADCAST","MULTICAST","UP"\]/);
    assert.doesNotMatch(addresses.join(), /eth0 inet /);
    await rig.del(rig.ours, list, pod, result);
    assert.doesNotMatch(rig.state(pod)['a links']!.join(), /eth0/);
  });

  it('gives the hardware address that is asked for', async () => {
    const list = rig.list([{ ...withData({ ipam: V4 })[0], capabilities: { mac: true } }]);
    const pod = rig.pod('a', { mac: '0a:00:00:00:00:07' });
    const result = await rig.add(rig.ours, list, pod);
    assert.match(JSON.stringify(result), /"name":"eth0","mac":"0a:00:00:00:00:07"/);
    await rig.del(rig.ours, list, pod, result);
  });

  it('takes back every step when one fails', async () => {
    const list = rig.list(withData({ isGateway: true, ipMasq: true, ipam: DUAL }));
    const pod = rig.pod('a');
    // A pod that has the interface already, and then one whose route leads nowhere.
    const result = await rig.add(rig.ours, list, pod);
    const before = rig.state(pod);
    await assert.rejects(rig.addOnce(rig.ours, list, { ...pod, containerId: 'b' }), /EEXIST|exist/i);
    assert.deepEqual(withoutCursors(rig.state(pod)), withoutCursors(before));
    const nowhere = rig.list(
      withData({ ipMasq: true, ipam: { ...V4, routes: [{ dst: '10.99.0.0/16', gw: '10.77.0.1' }] } }),
    );
    const other = rig.pod('c');
    const clean = rig.state(pod, other);
    await assert.rejects(rig.addOnce(rig.ours, nowhere, other), /add route 10\.99\.0\.0\/16/);
    assert.deepEqual(withoutCursors(rig.state(pod, other)), withoutCursors(clean));
    await rig.del(rig.ours, list, pod, result);
  });

  it('says in CHECK what is gone', async () => {
    const list = rig.list(withData({ isDefaultGateway: true, ipam: V4 }));
    const pod = rig.pod('a');
    const result = await rig.add(rig.ours, list, pod);
    await rig.check(rig.ours, list, pod, result);
    const inPod = (...argv: string[]): void => {
      const { status, stderr } = spawnSync('nsenter', [`--net=${pod.netns}`, 'ip', ...argv], {
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
    };
    inPod('route', 'del', 'default');
    await assert.rejects(rig.check(rig.ours, list, pod, result), /lost its route to 0\.0\.0\.0\/0/);
    inPod('addr', 'flush', 'dev', 'eth0');
    await assert.rejects(rig.check(rig.ours, list, pod, result), /lost its address 10\.88\.0\.2\/24/);
    inPod('link', 'del', 'eth0');
    await assert.rejects(rig.check(rig.ours, list, pod, result), /veth\w+ is not on the bridge cni0/);
    await rig.del(rig.ours, list, pod, result);
    await assert.rejects(rig.check(rig.ours, list, pod, result), /does not hold/);
  });

  it('removes the masquerade rules of a pod whose namespace and result are lost', async () => {
    const list = rig.list(withData({ isGateway: true, ipMasq: true, ipam: DUAL }));
    const before = rig.state();
    const pod = rig.pod('a');
    await rig.add(rig.ours, list, pod);
    assert.match(rig.state()['node rules4']!.join(), /id: \\"a/);
    await rig.del(rig.ours, list, { ...pod, netns: '' }, undefined);
    const after = rig.state();
    for (const key of ['node rules4', 'node rules6'])
      assert.deepEqual(chainsWithRules(after[key]!), chainsWithRules(before[key]!));
  });

  it('refuses what the reference plugin refuses', async () => {
    for (const own of [
      { hairpinMode: true, promiscMode: true, ipam: V4 },
      { vlan: 5000, ipam: V4 },
      { mtu: 'large', ipam: V4 },
      { isGateway: 'yes', ipam: V4 },
    ]) {
      await assert.rejects(rig.add(rig.reference, rig.list(withData(own)), rig.pod('a')));
      await assert.rejects(rig.add(rig.ours, rig.list(withData(own)), rig.pod('a')), /code 7/);
    }
    for (const key of ['macspoofchk', 'enabledad'])
      await assert.rejects(
        rig.add(rig.ours, rig.list(withData({ [key]: true, ipam: V4 })), rig.pod('a')),
        new RegExp(`code 7: ${key} is not served here`),
      );
  });
});

function withoutCursors(state: Record<string, string[]>): Record<string, string[]> {
  return { ...state, files: state['files']!.filter((line) => !line.includes('last_reserved')) };
}

/** The tables and built-in chains stay once they were looked at. */
function chainsWithRules(lines: string[]): string[] {
  return lines.filter((line) => line.startsWith('-A') || line.startsWith(':CNI'));
}
