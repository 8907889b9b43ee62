import assert from 'node:assert/strict';
import type { TestNode } from '../node.ts';
import { ContainerState, runPod, statusOf } from '../pods.ts';
import { plantRecords, uprootRecords, type PlantedRecords } from '../record-crowd.ts';
import { useNode } from '../use-node.ts';

const DEAD = 20_000;
/** As the gRPC library of a kubelet is told (16 MiB). */
const KUBELET_BYTES = 16 * 1024 * 1024;

describe('lists', function () {
  this.timeout(180_000);
  const suite = useNode();

  /** Starts the daemon above planted records, runs the work, and takes them away again. */
  async function withRecords(
    many: number,
    bytes: number,
    work: (node: TestNode, planted: PlantedRecords) => Promise<void>,
  ): Promise<void> {
    const { node } = suite;
    await node.stop();
    const planted = plantRecords(node, many, bytes);
    await node.start();
    try {
      await work(node, planted);
    } finally {
      await node.stop();
      uprootRecords(node, planted);
      await node.start();
    }
  }

  it('of 20,000 dead containers: whole by the stream, and a clean error where one answer cannot hold them', () =>
    withRecords(DEAD, 3500, async (node, { sandbox, containers }) => {
      await assert.rejects(node.client.call('ListContainers', {}), {
        code: 'RESOURCE_EXHAUSTED',
        details: /ListContainers has \d+ bytes.*streaming form/,
      });
      const seen: string[] = [];
      let parts = 0;
      for await (const { containers: part } of node.client.stream('StreamContainers', {})) {
        assert.ok(part.length > 0);
        seen.push(...part.map(({ id }) => id));
        parts++;
      }
      assert.deepEqual(seen.toSorted(byText), containers.toSorted(byText));
      assert.ok(parts > 50, `${parts} parts`);
      // What a kubelet needs to get rid of them works all the while.
      const filter = { labelSelector: { attempt: '4711' } };
      const [one] = (await node.client.call('ListContainers', { filter })).containers;
      assert.equal(one?.id, containers[4711]);
      await node.client.call('RemoveContainer', { containerId: one!.id });
      assert.deepEqual((await node.client.call('ListContainers', { filter })).containers, []);
      assert.equal((await node.client.call('ListPodSandbox', {})).items[0]?.id, sandbox);
    }));

  it('of more than a kubelet takes reach callers that take more', () =>
    withRecords(DEAD, 1000, async (node) => {
      const small = node.clientWith({ maxReceiveBytes: KUBELET_BYTES });
      try {
        await assert.rejects(small.call('ListContainers', {}), { code: 'RESOURCE_EXHAUSTED' });
        let many = 0;
        for await (const { containers } of small.stream('StreamContainers', {})) many += containers.length;
        assert.equal(many, DEAD);
        assert.equal((await node.client.call('ListContainers', {})).containers.length, DEAD);
      } finally {
        small.close();
      }
    }));

  it('answer while many containers take their time to stop', () =>
    withRecords(500, 1000, async (node) => {
      const stubborn = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          runPod(node, `stubborn-${at}`, ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"]),
        ),
      );
      let stopped = 0;
      const stops = stubborn.map(({ container }) =>
        node.client.call('StopContainer', { containerId: container, timeout: 600 }).then(() => stopped++),
      );
      for (let asked = 0; asked < 50; asked++) {
        const { containers } = await node.client.call('ListContainers', {});
        assert.equal(containers.length, 520);
        await statusOf(node, stubborn[asked % 20]!.container);
      }
      assert.equal(stopped, 0, 'no list waited for a stop');
      const filter = { state: { state: ContainerState.RUNNING } };
      assert.equal((await node.client.call('ListContainers', { filter })).containers.length, 20);
      for (const { container } of stubborn)
        await node.client.call('StopContainer', { containerId: container, timeout: 0 });
      await Promise.all(stops);
      assert.equal((await node.client.call('ListContainers', { filter })).containers.length, 0);
    }));
});

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
