import assert from 'node:assert/strict';
import { Limit } from '../../ground/limit.ts';
import { ContainerState, podConfig, removePod, runPod, runSandbox, shell } from '../pods.ts';
import { useNode } from '../use-node.ts';

const LIVES = 60;
const AT_ONCE = 10;

describe('a crowd of pods', () => {
  const suite = useNode();

  it(`lives ${LIVES} lives, ${AT_ONCE} at a time`, async () => {
    const { node } = suite;
    const limit = new Limit(AT_ONCE);
    const life = async (index: number): Promise<void> => {
      const { sandbox, container } = await runPod(node, `life-${index}`, ['sleep', '1000']);
      assert.equal(await shell(node, container, 'hostname'), `life-${index}\n`);
      await removePod(node, sandbox);
    };
    await Promise.all(Array.from({ length: LIVES }, (_, index) => limit.run(() => life(index))));
    assert.deepEqual((await node.client.call('ListPodSandbox', {})).items, []);
  });

  it('stands together, is listed whole, and outlives the daemon', async () => {
    const { node } = suite;
    const count = 30;
    const limit = new Limit(AT_ONCE);
    const pods = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        limit.run(() => runPod(node, `stands-${index}`, ['sleep', '1000'])),
      ),
    );
    await node.kill9();
    await node.start();
    const { containers } = await node.client.call('ListContainers', {
      filter: { state: { state: ContainerState.RUNNING } },
    });
    assert.deepEqual(containers.map(({ id }) => id).sort(), pods.map(({ container }) => container).sort());
    const { stats } = await node.client.call('ListContainerStats', {});
    assert.equal(stats.length, count);
    assert.ok(stats.every(({ memory }) => (memory?.usageBytes?.value ?? 0n) > 0n));
    await Promise.all(pods.map(({ sandbox }) => removePod(node, sandbox)));
  });

  it('may be run and removed by many callers at once', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'same');
    const ids = await Promise.all(Array.from({ length: 8 }, () => runSandbox(node, pod)));
    assert.equal(new Set(ids).size, 1);
    await Promise.all(Array.from({ length: 8 }, () => removePod(node, ids[0]!)));
  });
});
