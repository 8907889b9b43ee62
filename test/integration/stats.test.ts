import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResponseOf } from '../../cri/rpc.ts';
import {
  containerConfig,
  createContainer,
  eventually,
  podConfig,
  runPod,
  runSandbox,
  shell,
  waitForExit,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

const MIB = 2 ** 20;
const BUSY = ['sh', '-c', 'while :; do :; done'];

describe('statistics', () => {
  const suite = useNode();

  type Layer = NonNullable<NonNullable<ResponseOf<'ContainerStats'>['stats']>['writableLayer']>;

  /** The layer is walked in the background: on a busy machine the first answer may come without it. */
  const layerWith = (containerId: string, fits: (layer: Layer) => boolean): Promise<true> =>
    eventually('the layer was walked', 20_000, async () => {
      const { stats } = await suite.node.client.call('ContainerStats', { containerId });
      const { writableLayer } = stats!;
      return writableLayer !== null && fits(writableLayer) ? true : undefined;
    });

  for (const handler of ['crun', 'runc']) {
    it(`tell with ${handler} what a container uses`, async () => {
      const { node } = suite;
      const { container } = await runPod(node, 'busy', BUSY, {
        handler,
        container: {
          linux: { resources: { memoryLimitInBytes: 64 * MIB, memorySwapLimitInBytes: 96 * MIB } },
        },
      });
      await shell(node, container, 'head -c 3000000 /dev/zero > /file');
      await sleep(1_100);
      const { stats } = await node.client.call('ContainerStats', { containerId: container });
      const { cpu, memory, swap, attributes } = stats!;
      assert.equal(attributes!.id, container);
      assert.ok(cpu!.usageCoreNanoSeconds!.value > 100_000_000n);
      assert.ok(cpu!.usageNanoCores!.value > 50_000_000n && cpu!.usageNanoCores!.value < 2_000_000_000n);
      assert.ok(memory!.workingSetBytes!.value > 0n && memory!.rssBytes!.value > 0n);
      assert.equal(memory!.availableBytes!.value, BigInt(64 * MIB) - memory!.workingSetBytes!.value);
      assert.ok(memory!.pageFaults!.value > 0n);
      assert.equal(swap!.swapUsageBytes!.value + swap!.swapAvailableBytes!.value, BigInt(32 * MIB));
      await layerWith(
        container,
        ({ usedBytes, inodesUsed }) => usedBytes!.value >= 3_000_000n && inodesUsed!.value >= 2n,
      );
    });
  }

  it('tell what a pod uses, with its network and its containers', async () => {
    const { node } = suite;
    const { sandbox, container, pod } = await runPod(node, 'whole', BUSY);
    const second = await createContainer(sandbox, node, containerConfig('idle', ['sleep', '1000']), pod);
    await node.client.call('StartContainer', { containerId: second });
    const before = (await node.client.call('PodSandboxStats', { podSandboxId: sandbox })).stats!.linux!;
    assert.equal(before.network!.defaultInterface!.name, 'eth0');
    assert.deepEqual(before.network!.interfaces, []);
    await shell(node, container, 'ping -c 3 -s 1000 -i 0.01 10.88.0.1 || true');
    await sleep(1_100);
    const { stats } = await node.client.call('PodSandboxStats', { podSandboxId: sandbox });
    const { cpu, memory, network, process, containers } = stats!.linux!;
    assert.equal(stats!.attributes!.id, sandbox);
    assert.deepEqual(stats!.attributes!.labels, pod.labels);
    const sent = (of: typeof network): bigint => of!.defaultInterface!.txBytes!.value;
    assert.ok(sent(network) >= sent(before.network) + 3000n);
    assert.ok(cpu!.usageNanoCores!.value > 50_000_000n);
    assert.ok(memory!.workingSetBytes!.value > 0n);
    // Pause, the shell and the sleep.
    assert.equal(process!.processCount!.value, 3n);
    assert.deepEqual(
      new Set(containers.map(({ attributes }) => attributes!.id)),
      new Set([container, second]),
    );
    const sum = containers.reduce((so, one) => so + one.cpu!.usageCoreNanoSeconds!.value, 0n);
    assert.ok(cpu!.usageCoreNanoSeconds!.value + 50_000_000n >= sum);
  });

  it("are the containers' sum when a pod has no cgroup for itself", async () => {
    const { node } = suite;
    const { sandbox, container } = await runPod(node, 'guest', BUSY, {
      pod: { linux: { cgroupParent: '' } },
    });
    await runPod(node, 'other', BUSY, { pod: { linux: { cgroupParent: '' } } });
    const { stats } = await node.client.call('PodSandboxStats', { podSandboxId: sandbox });
    const { memory, process, containers } = stats!.linux!;
    assert.deepEqual(
      containers.map(({ attributes }) => attributes!.id),
      [container],
    );
    assert.equal(memory!.usageBytes!.value, containers[0]!.memory!.usageBytes!.value);
    assert.equal(process!.processCount!.value, 1n);
  });

  it("leave the node's links out of a pod on the node's network", async () => {
    const { node } = suite;
    const { sandbox } = await runPod(node, 'host', ['sleep', '1000'], {
      pod: { linux: { securityContext: { namespaceOptions: { network: 2, pid: 1, ipc: 0 } } } },
      container: { linux: { securityContext: { namespaceOptions: { network: 2, pid: 1, ipc: 0 } } } },
    });
    const { stats } = await node.client.call('PodSandboxStats', { podSandboxId: sandbox });
    assert.equal(stats!.linux!.network, null);
  });

  it('fit the filter, as a list and as a stream', async () => {
    const { node } = suite;
    const one = await runPod(node, 'one', ['sleep', '1000'], { pod: { labels: { tier: 'a' } } });
    const two = await runPod(node, 'two', ['sleep', '1000'], { pod: { labels: { tier: 'b' } } });
    const over = await runPod(node, 'over', ['true']);
    await waitForExit(node, over.container);
    const created = podConfig(node, 'created');
    const early = await runSandbox(node, created);
    await createContainer(early, node, containerConfig('early', ['true']), created);
    const stopped = await runPod(node, 'stopped', ['sleep', '1000']);
    await node.client.call('StopPodSandbox', { podSandboxId: stopped.sandbox });
    const pods = async (filter: object): Promise<Set<string>> => {
      const { stats } = await node.client.call('ListPodSandboxStats', { filter });
      const streamed: string[] = [];
      for await (const { podSandboxStats } of node.client.stream('StreamPodSandboxStats', { filter }))
        streamed.push(...podSandboxStats.map(({ attributes }) => attributes!.id));
      const listed = stats.map(({ attributes }) => attributes!.id);
      assert.deepEqual(streamed, listed);
      return new Set(listed);
    };
    const containers = async (filter: object): Promise<Set<string>> => {
      const { stats } = await node.client.call('ListContainerStats', { filter });
      const streamed: string[] = [];
      for await (const { containerStats } of node.client.stream('StreamContainerStats', { filter }))
        streamed.push(...containerStats.map(({ attributes }) => attributes!.id));
      const listed = stats.map(({ attributes }) => attributes!.id);
      assert.deepEqual(streamed, listed);
      return new Set(listed);
    };
    assert.deepEqual(await pods({}), new Set([one.sandbox, two.sandbox, over.sandbox, early]));
    assert.deepEqual(await pods({ id: one.sandbox }), new Set([one.sandbox]));
    assert.deepEqual(await pods({ labelSelector: { tier: 'b' } }), new Set([two.sandbox]));
    assert.deepEqual(await pods({ id: one.sandbox, labelSelector: { tier: 'b' } }), new Set());
    assert.deepEqual(await containers({}), new Set([one.container, two.container]));
    assert.deepEqual(await containers({ podSandboxId: two.sandbox }), new Set([two.container]));
    await assert.rejects(node.client.call('PodSandboxStats', { podSandboxId: stopped.sandbox }), {
      code: 'FAILED_PRECONDITION',
    });
    await assert.rejects(node.client.call('PodSandboxStats', { podSandboxId: 'nobody' }), {
      code: 'NOT_FOUND',
    });
    const { stats } = await node.client.call('ContainerStats', { containerId: over.container });
    assert.deepEqual([stats!.cpu, stats!.memory], [null, null]);
    await layerWith(over.container, ({ inodesUsed }) => inodesUsed!.value >= 1n);
  });

  it('are complete while pods come and go', async () => {
    const { node } = suite;
    const keeper = await runPod(node, 'keeper', ['sleep', '1000']);
    let over = false;
    const churn = (async () => {
      for (let i = 0; i < 12; i++) {
        const { sandbox } = await runPod(node, `brief-${i}`, ['sleep', '1000']);
        await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
      }
      over = true;
    })();
    let lists = 0;
    while (!over) {
      const [byContainer, byPod] = await Promise.all([
        node.client.call('ListContainerStats', {}),
        node.client.call('ListPodSandboxStats', {}),
      ]);
      lists++;
      assert.ok(byContainer.stats.some(({ attributes }) => attributes!.id === keeper.container));
      assert.ok(byPod.stats.some(({ attributes }) => attributes!.id === keeper.sandbox));
    }
    await churn;
    assert.ok(lists > 3);
  });

  it("count a writable layer's files once they are there", async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'many', ['sleep', '1000']);
    const script = 'mkdir /d; i=0; while [ $i -lt 200 ]; do mkdir /d/$i; : > /d/$i/f; i=$((i+1)); done';
    await shell(node, container, script);
    await layerWith(container, ({ inodesUsed }) => inodesUsed!.value >= 400n);
  });
});

describe('statistics on a node with a v2 tree beside v1', () => {
  const suite = useNode({ hybrid: true, config: { runtime: { default_handler: 'runc' } } });

  it('tell of pressure', async () => {
    const { node } = suite;
    const { container, sandbox } = await runPod(node, 'pressed', [
      'sh',
      '-c',
      'for i in 1 2 3 4; do (while :; do :; done) & done; wait',
    ]);
    await eventually('there is pressure on the CPU', 20_000, async () => {
      const { stats } = await node.client.call('ContainerStats', { containerId: container });
      return stats!.cpu!.psi!.Some!.Total > 0n ? true : undefined;
    });
    const { stats } = await node.client.call('PodSandboxStats', { podSandboxId: sandbox });
    const { cpu, memory, io } = stats!.linux!;
    assert.ok(cpu!.psi!.Some!.Total > 0n);
    assert.ok(memory!.psi!.Full!.Total >= 0n && io!.psi!.Full!.Total >= 0n);
  });
});
