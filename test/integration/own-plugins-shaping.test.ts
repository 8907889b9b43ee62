import assert from 'node:assert/strict';
import type { JsonObject } from '../../cni/config-list.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { PluginRig } from '../fakes/plugin-rig.ts';

const MBIT = 1_000_000;
const BOTH = { ingressRate: 8 * MBIT, ingressBurst: 2 * MBIT, egressRate: 16 * MBIT, egressBurst: 4 * MBIT };

describeInOwnNamespaces('bandwidth and tuning beside the reference plugins', import.meta.url, () => {
  let rig: PluginRig;
  beforeEach(async () => (rig = await PluginRig.open()));
  afterEach(async () => {
    rig.clear('cni0');
    await rig.close();
  });

  const bridge = (): JsonObject => ({
    type: 'bridge',
    isGateway: true,
    ipam: {
      type: 'host-local',
      dataDir: rig.dataDir,
      ranges: [[{ subnet: '10.88.0.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  });
  const tuning = (more: JsonObject): JsonObject => ({ type: 'tuning', dataDir: rig.dataDir, ...more });
  const shaped = { type: 'bandwidth', capabilities: { bandwidth: true } };

  const CASES: Record<string, [() => JsonObject[], Record<string, unknown>?]> = {
    'both directions limited': [() => [bridge(), shaped], { bandwidth: BOTH }],
    'what it receives limited': [
      () => [bridge(), shaped],
      { bandwidth: { ingressRate: 800_000, ingressBurst: 100_000 } },
    ],
    'what it sends limited': [
      () => [bridge(), shaped],
      { bandwidth: { egressRate: 40_000 * MBIT, egressBurst: 80 * MBIT } },
    ],
    'limits of the configuration': [() => [bridge(), { ...shaped, ...BOTH }]],
    'no limits': [() => [bridge(), shaped]],
    switches: [
      () => [
        bridge(),
        tuning({ sysctl: { 'net.core.somaxconn': '500', 'net/ipv4/conf/eth0/arp_filter': '1' } }),
      ],
    ],
    'another address and size': [() => [bridge(), tuning({ mac: 'c2:b0:57:49:47:f1', mtu: 1454 })]],
    flags: [() => [bridge(), tuning({ promisc: true, allmulti: true })]],
    'a hardware address by capability': [
      () => [bridge(), { ...tuning({}), capabilities: { mac: true } }],
      { mac: 'c2:b0:57:49:47:f2' },
    ],
  };
  for (const [title, [plugins, capabilities]] of Object.entries(CASES))
    it(`leave the same in the kernel with ${title}`, async () => {
      const list = rig.list(plugins());
      const seen: Record<string, unknown>[] = [];
      for (const caller of [rig.reference, rig.ours]) {
        rig.clear('cni0');
        const pod = rig.pod('a', capabilities);
        const result = await rig.add(caller, list, pod);
        const with_ = rig.state(pod);
        // The reference bandwidth panics when it is to check a pod without limits.
        if (caller === rig.ours || title !== 'no limits') await rig.check(caller, list, pod, result);
        await rig.del(caller, list, pod, result);
        await rig.del(caller, list, pod, result);
        seen.push({ said: rig.named(result), with_, without: rig.state(pod) });
      }
      assert.deepEqual(seen[1], seen[0]);
    });

  it('hold back what is over the limit', async () => {
    const list = rig.list([bridge(), shaped]);
    const pod = rig.pod('a', { bandwidth: { egressRate: 80_000, egressBurst: 16_000 } });
    const result = await rig.add(rig.ours, list, pod);
    // 200 datagrams of 1,000 bytes at once, through a bucket of 2,000 bytes and a queue of 25 ms: most are dropped.
    const { sent, received } = await rig.burst(pod, '10.88.0.1', 200, 1000);
    assert.equal(sent, 200);
    assert.ok(received >= 1 && received < 100, `${received} of 200 arrived`);
    await rig.del(rig.ours, list, pod, result);
  });

  it('take a burst that the kernel cannot count for the largest that it can', async () => {
    const list = rig.list([bridge(), shaped]);
    const pod = rig.pod('a', { bandwidth: { ingressRate: 8000, ingressBurst: 0xffffffff } });
    const result = await rig.add(rig.ours, list, pod);
    assert.match(rig.state(pod)['node qdiscs']!.join('\n'), /tbf.*rate 8Kbit burst/);
    await rig.del(rig.ours, list, pod, result);
  });

  it('say in CHECK what is gone', async () => {
    const list = rig.list([bridge(), shaped, tuning({ mtu: 1400, sysctl: { 'net.core.somaxconn': '77' } })]);
    const pod = rig.pod('a', { bandwidth: BOTH });
    const result = await rig.add(rig.ours, list, pod);
    await rig.check(rig.ours, list, pod, result);
    rig.inPod(pod, 'sysctl', '-w', 'net.core.somaxconn=78');
    await assert.rejects(rig.check(rig.ours, list, pod, result), /somaxconn is 78, not 77/);
    rig.inPod(pod, 'sysctl', '-w', 'net.core.somaxconn=77');
    rig.inPod(pod, 'ip', 'link', 'set', 'eth0', 'mtu', '1300');
    await assert.rejects(rig.check(rig.ours, list, pod, result), /MTU is 1300, not 1400/);
    rig.onNode('ip', 'link', 'del', rig.linkLike(/^bwp/));
    await assert.rejects(rig.check(rig.ours, list, pod, result), /bwp\w+ is gone/);
    await rig.del(rig.ours, list, pod, result);
  });

  it('refuse what the reference plugins refuse', async () => {
    const refused: [JsonObject[], Record<string, unknown>][] = [
      [[bridge(), shaped], { bandwidth: { ingressRate: 100 } }],
      [[bridge(), shaped], { bandwidth: { egressBurst: 100 } }],
      [[bridge(), tuning({ sysctl: { 'kernel.hostname': 'x' } })], {}],
      [[bridge(), tuning({ sysctl: { 'net/../../kernel/hostname': 'x' } })], {}],
      [[tuning({ mtu: 1400 })], {}],
    ];
    for (const [plugins, offered] of refused) {
      await assert.rejects(
        rig.add(rig.reference, rig.list(plugins), rig.pod('a', offered)),
        JSON.stringify(plugins),
      );
      await assert.rejects(rig.add(rig.ours, rig.list(plugins), rig.pod('a', offered)), /code 7/);
    }
  });
});
