import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
  podConfig,
  runPod,
  runSandbox,
  statusOf,
  waitForExit,
  type ContainerConfig,
  type ContainerStatus,
  type PodConfig,
} from '../pods.ts';
import { useNode } from '../use-node.ts';
import { patient } from '../patience.ts';

const MIB = 2 ** 20;
const HUNGRY = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1'];
const HUNGRY_CHILD = HUNGRY.join(' ');
const SMALL: ContainerConfig = {
  linux: { resources: { memoryLimitInBytes: 15 * MIB, memorySwapLimitInBytes: 15 * MIB } },
};
/** The lane in the emulated machine takes fewer. */
const ROUNDS = Number(process.env['BERTH_TEST_ROUNDS'] ?? 50);
const AT_ONCE = 10;

describe('when memory runs out', () => {
  const suite = useNode();

  /** Where a pod's cgroup is for memory, and the file that counts what the kernel killed. */
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const podCgroup = (pod: PodConfig): string =>
    join(unified ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory', pod.linux!.cgroupParent!);
  const oomKills = (pod: PodConfig, id: string): number => {
    const file = join(podCgroup(pod), id, unified ? 'memory.events' : 'memory.oom_control');
    return Number(/oom_kill (\d+)/.exec(readFileSync(file, 'utf8'))![1]);
  };
  const killed = (pod: PodConfig, id: string): Promise<true> =>
    eventually('the kernel killed', 10_000, () => (oomKills(pod, id) > 0 ? true : undefined));

  for (const handler of ['crun', 'runc']) {
    it(`a container of ${handler} is OOMKilled with 137, ${ROUNDS} times out of ${ROUNDS}`, async function () {
      this.timeout(patient(180_000));
      const { node } = suite;
      const ends: string[] = [];
      const one = async (round: number): Promise<void> => {
        const pod = podConfig(node, `hungry-${round}`);
        const sandbox = await runSandbox(node, pod, handler);
        const id = await createContainer(sandbox, node, containerConfig('main', HUNGRY, SMALL), pod);
        await node.client.call('StartContainer', { containerId: id });
        const { exitCode, reason, message } = await waitForExit(node, id, 30_000);
        ends.push(`${exitCode} ${reason} ${message}`);
        await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
        await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
      };
      for (let round = 0; round < ROUNDS; round += AT_ONCE)
        await Promise.all(
          Array.from({ length: Math.min(AT_ONCE, ROUNDS - round) }, (_, index) => one(round + index)),
        );
      const right =
        "137 OOMKilled The kernel ended a process of the container for want of memory: the container's limit was met";
      assert.deepEqual(ends, Array<string>(ROUNDS).fill(right));
    });
  }

  const end = async (line: string): Promise<ContainerStatus> => {
    const { container } = await runPod(suite.node, 'family', ['sh', '-c', line], { container: SMALL });
    return waitForExit(suite.node, container);
  };

  it('for a child, and the first process fails for that: OOMKilled', async () => {
    const { exitCode, reason } = await end(`${HUNGRY_CHILD}; exit 3`);
    assert.deepEqual([exitCode, reason], [3, 'OOMKilled']);
  });

  it('for a child, and the first process gets over it: Completed, and the message tells', async () => {
    const { exitCode, reason, message } = await end(`${HUNGRY_CHILD}; ${HUNGRY_CHILD}; exit 0`);
    assert.deepEqual([exitCode, reason], [0, 'Completed']);
    assert.match(message, /ended 2 processes of the container for want of memory/);
  });

  it('for a child, and the first process lives on: running, and a stop ends it as any other', async () => {
    const { node } = suite;
    const { container, pod } = await runPod(node, 'survivor', ['sh', '-c', `${HUNGRY_CHILD}; sleep 1000`], {
      container: SMALL,
    });
    await killed(pod, container);
    const { state, reason } = await statusOf(node, container);
    assert.deepEqual([state, reason], [ContainerState.RUNNING, '']);
    await node.client.call('StopContainer', { containerId: container, timeout: 0 });
    const stopped = await statusOf(node, container);
    assert.deepEqual([stopped.exitCode, stopped.reason], [137, 'Error']);
    assert.match(stopped.message, /for want of memory/);
  });

  it("at the limit of the pod's cgroup: OOMKilled, and the message tells whose limit it was", async () => {
    const { node } = suite;
    const pod = podConfig(node, 'tight');
    // v1 counts memory and swap together, v2 each by itself.
    const limits: [string, number][] = unified
      ? [
          ['memory.max', 24 * MIB],
          ['memory.swap.max', 0],
        ]
      : [
          ['memory.limit_in_bytes', 24 * MIB],
          ['memory.memsw.limit_in_bytes', 24 * MIB],
        ];
    for (const [name, bytes] of limits) writeFileSync(join(podCgroup(pod), name), String(bytes));
    const sandbox = await runSandbox(node, pod);
    const neighbour = await createContainer(sandbox, node, containerConfig('quiet', ['sleep', '1000']), pod);
    const container = await createContainer(sandbox, node, containerConfig('main', HUNGRY), pod);
    for (const containerId of [neighbour, container])
      await node.client.call('StartContainer', { containerId });
    const { exitCode, reason, message } = await waitForExit(node, container);
    assert.deepEqual([exitCode, reason], [137, 'OOMKilled']);
    assert.match(message, /limit of the pod's cgroup/);
    assert.equal((await statusOf(node, neighbour)).state, ContainerState.RUNNING);
  });

  it('while the daemon is away: OOMKilled all the same', async () => {
    const { node } = suite;
    const line = `sleep 1; exec ${HUNGRY_CHILD}`;
    const { container, pod } = await runPod(node, 'alone', ['sh', '-c', line], { container: SMALL });
    await node.kill9();
    await killed(pod, container);
    await node.start();
    const { exitCode, reason } = await waitForExit(node, container);
    assert.deepEqual([exitCode, reason], [137, 'OOMKilled']);
  });

  it('the monitor writes it down as well, for the cgroups that systemd removes', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'noted', HUNGRY, { container: SMALL });
    await waitForExit(node, container);
    readFileSync(join(node.state, 'containers', container, 'oom'));
  });
});
