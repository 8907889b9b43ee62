import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { RpcError } from '../../cri/client.ts';
import { eventually, podConfig, removePod, runSandbox, sandboxStatusOf } from '../pods.ts';
import type { TestNode } from '../node.ts';
import { bridgePlugin } from '../cni-list.ts';
import { useNode } from '../use-node.ts';

const DATA_DIR = '/run/cni-ipam';
const PORT = { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 18080 }] };

function listOf(more: object = {}): object {
  return {
    cniVersion: '1.0.0',
    name: 'test',
    plugins: [
      bridgePlugin(DATA_DIR),
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'firewall' },
      { type: 'bandwidth', egressRate: 8_000_000, egressBurst: 800_000 },
    ].map((plugin) => ({ ...plugin, ...more })),
  };
}

/** The addresses that are given out. */
function leases(node: TestNode): string[] {
  const directory = node.space.seen(`${DATA_DIR}/test`);
  return existsSync(directory) ? readdirSync(directory).filter((name) => /^\d/.test(name)) : [];
}

async function podRules(node: TestNode): Promise<string[]> {
  const saved = await node.exec(['iptables-save']);
  return saved.split('\n').filter((line) => /10\.87\.0\.\d+\/32|CNI-DN-|18080/.test(line));
}

async function warm(node: TestNode): Promise<void> {
  await removePod(node, await runSandbox(node, podConfig(node, 'warm', PORT)));
  await eventually('the first address is free', 15_000, () => leases(node).length === 0 || undefined);
}

describe('a daemon that dies between the steps of a network', () => {
  const suite = useNode({ cni: listOf() });
  // The plugins make their bridge and chains with the first pod and keep them.
  before(async () => {
    await warm(suite.node);
    await suite.retake();
  });

  for (const step of [
    'ADD host-local',
    'ADD bridge',
    'ADD portmap',
    'ADD firewall',
    'ADD bandwidth',
    'settle',
  ])
    it(`after ${step} leaves nothing, and the retry gets a pod`, async () => {
      const { node } = suite;
      const pod = podConfig(node, 'crash', PORT);
      await node.restart({ BERTH_CRASH_AT: `CNI:${step}` });
      await assert.rejects(runSandbox(node, pod), RpcError);
      await node.ended();
      await node.start();
      await eventually('all is given back', 20_000, async () =>
        leases(node).length === 0 && (await podRules(node)).length === 0 ? true : undefined,
      );
      const id = await runSandbox(node, pod);
      assert.match((await sandboxStatusOf(node, id)).network!.ip, /^10\.87\.0\./);
      assert.match((await podRules(node)).join('\n'), /18080/);
      await removePod(node, id);
    });

  for (const step of [
    'leaving',
    'DEL bandwidth',
    'DEL firewall',
    'DEL portmap',
    'DEL host-local',
    'DEL bridge',
  ])
    it(`after ${step} goes on with it after the start`, async () => {
      const { node } = suite;
      const pod = podConfig(node, 'crash', PORT);
      await node.restart({ BERTH_CRASH_AT: `CNI:${step}` });
      const id = await runSandbox(node, pod);
      // The pod may be gone for the caller before the daemon has come to that step.
      await removePod(node, id).catch((error: unknown) => assert.ok(error instanceof RpcError));
      await node.ended();
      await node.start();
      await removePod(node, id);
      await eventually('all is given back', 20_000, async () =>
        leases(node).length === 0 && (await podRules(node)).length === 0 ? true : undefined,
      );
    });
});

for (const [way, more] of [
  ['in process', {}],
  ['by exec', { 'berth.exec': true }],
] as const)
  describe(`forty pods and a power cut, with plugins ${way}`, () => {
    // What a power cut leaves is on the disk.
    const list = JSON.parse(
      JSON.stringify(listOf(more))
        .replaceAll(DATA_DIR, '/var/lib/cni/networks')
        .replace('firewall', 'tuning'),
    ) as object;
    const suite = useNode({ cni: list });
    const held = (): string[] =>
      readdirSync(suite.node.space.seen('/var/lib/cni/networks/test')).filter((name) => /^\d/.test(name));
    before(async () => {
      const { node } = suite;
      await removePod(node, await runSandbox(node, podConfig(node, 'warm')));
      await eventually('the first address is free', 15_000, () => held().length === 0 || undefined);
      await suite.retake();
    });

    it('frees all addresses', async () => {
      const { node } = suite;
      const pods = Array.from({ length: 40 }, (_, index) => podConfig(node, `many-${index}`));
      await Promise.all(pods.map((pod) => runSandbox(node, pod)));
      assert.equal(held().length, 40);
      await node.kill9();
      await node.reboot();
      await node.start();
      await eventually('all addresses are free', 60_000, () => held().length === 0 || undefined);
      const id = await runSandbox(node, podConfig(node, 'after'));
      assert.equal(held().length, 1);
      const { items } = await node.client.call('ListPodSandbox', {});
      for (const { id: old } of items) await removePod(node, old);
      assert.ok(items.some((item) => item.id === id));
      // The reboot took the bridge, too.
      await eventually('all addresses are free', 20_000, () => held().length === 0 || undefined);
      await suite.retake();
    });
  });
