import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestInput } from '../../cri/rpc.ts';
import {
  containerConfig,
  createContainer,
  podConfig,
  removePod,
  runPod,
  runSandbox,
  shell,
  statusOf,
  waitForExit,
  type PodConfig,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

const MIB = 2 ** 20;
type Resources = NonNullable<RequestInput<'UpdateContainerResources'>['linux']>;

describe('the resources of a container that lives', () => {
  const suite = useNode({
    config: {
      runtime: {
        handlers: {
          'crun-alone': { path: 'crun', exec: 'oci' },
          'runc-alone': { path: 'runc', exec: 'oci' },
        },
      },
    },
  });

  const file = (controller: string, pod: PodConfig, id: string, name: string): string =>
    join('/sys/fs/cgroup', controller, pod.linux!.cgroupParent!, id, name);
  const number = (controller: string, pod: PodConfig, id: string, name: string): number =>
    Number(readFileSync(file(controller, pod, id, name), 'utf8'));
  const limits = (pod: PodConfig, id: string): Record<string, number | string> => ({
    shares: number('cpu', pod, id, 'cpu.shares'),
    quota: number('cpu', pod, id, 'cpu.cfs_quota_us'),
    period: number('cpu', pod, id, 'cpu.cfs_period_us'),
    memory: number('memory', pod, id, 'memory.limit_in_bytes'),
    both: number('memory', pod, id, 'memory.memsw.limit_in_bytes'),
    cpus: readFileSync(file('cpuset', pod, id, 'cpuset.cpus'), 'utf8').trim(),
  });
  const update = (containerId: string, linux: Resources, annotations = {}): Promise<object> =>
    suite.node.client.call('UpdateContainerResources', { containerId, linux, annotations });

  for (const handler of ['crun', 'runc', 'crun-alone', 'runc-alone']) {
    it(`change with ${handler}, up and down, and are told by the status`, async () => {
      const { node } = suite;
      const resources = {
        memoryLimitInBytes: 64 * MIB,
        cpuQuota: 50_000,
        cpuPeriod: 100_000,
        cpuShares: 512,
      };
      const { container, pod } = await runPod(node, 'up', ['sleep', '1000'], {
        handler,
        container: { linux: { resources } },
      });
      const first = limits(pod, container);
      assert.deepEqual(
        { ...first, cpus: '' },
        { shares: 512, quota: 50_000, period: 100_000, memory: 64 * MIB, both: 64 * MIB, cpus: '' },
      );
      await update(container, { memoryLimitInBytes: 128 * MIB, cpuQuota: 90_000, cpuPeriod: 50_000 });
      assert.deepEqual(limits(pod, container), {
        ...first,
        quota: 90_000,
        period: 50_000,
        memory: 128 * MIB,
        both: 128 * MIB,
      });
      await update(container, { memoryLimitInBytes: 32 * MIB, cpuShares: 1024, cpusetCpus: '0' });
      const last = {
        shares: 1024,
        quota: 90_000,
        period: 50_000,
        memory: 32 * MIB,
        both: 32 * MIB,
        cpus: '0',
      };
      assert.deepEqual(limits(pod, container), last);
      const told = (await statusOf(node, container)).resources!.linux!;
      assert.deepEqual(
        [told.cpuShares, told.cpuQuota, told.cpuPeriod, told.memoryLimitInBytes, told.cpusetCpus],
        [1024n, 90_000n, 50_000n, BigInt(32 * MIB), '0'],
      );
      await update(container, { memoryLimitInBytes: -1, cpuQuota: -1 });
      assert.ok((limits(pod, container)['memory'] as number) > 2 ** 60);
      assert.ok((limits(pod, container)['both'] as number) > 2 ** 60);
      assert.equal(limits(pod, container)['quota'], -1);
    });
  }

  for (const handler of ['crun', 'runc']) {
    it(`may have no limit from the start with ${handler}`, async () => {
      const resources = {
        cpuQuota: -1,
        cpuPeriod: 50_000,
        memoryLimitInBytes: -1,
        memorySwapLimitInBytes: -1,
      };
      const { container, pod } = await runPod(suite.node, 'free', ['sleep', '1000'], {
        handler,
        container: { linux: { resources } },
      });
      assert.equal(limits(pod, container)['quota'], -1);
    });
  }

  it('change before the container is started', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'early');
    const sandbox = await runSandbox(node, pod);
    const config = containerConfig('main', ['sleep', '1000'], {
      linux: { resources: { memoryLimitInBytes: 32 * MIB } },
    });
    const container = await createContainer(sandbox, node, config, pod);
    await update(container, { memoryLimitInBytes: 48 * MIB });
    await node.client.call('StartContainer', { containerId: container });
    assert.equal(limits(pod, container)['memory'], 48 * MIB);
  });

  it('change altogether or not at all', async () => {
    const { node } = suite;
    const resources = { memoryLimitInBytes: 64 * MIB, cpuQuota: 50_000, cpuPeriod: 100_000, cpuShares: 512 };
    const { container, pod } = await runPod(node, 'whole', ['sleep', '1000'], {
      container: { linux: { resources } },
    });
    const first = limits(pod, container);
    const status = await statusOf(node, container);
    // The last of the writes is the one that the kernel refuses.
    await assert.rejects(
      update(container, {
        cpuShares: 2048,
        cpuQuota: 70_000,
        memoryLimitInBytes: 96 * MIB,
        cpusetCpus: '4095',
      }),
      { code: 'INVALID_ARGUMENT', message: /refuses "4095" for cpuset\.cpus/ },
    );
    await assert.rejects(update(container, { cpuShares: 2048, unified: { 'memory.high': '1' } }), {
      code: 'INVALID_ARGUMENT',
      message: /cgroup v2/,
    });
    assert.deepEqual(limits(pod, container), first);
    assert.deepEqual((await statusOf(node, container)).resources, status.resources);
    await node.kill9();
    await node.start();
    assert.deepEqual((await statusOf(node, container)).resources, status.resources);
  });

  it('keep to what the pod may use', async () => {
    const { node } = suite;
    const { container, pod } = await runPod(node, 'bound', ['sleep', '1000'], {
      container: { linux: { resources: { cpuQuota: 40_000, cpuPeriod: 100_000 } } },
    });
    const above = join('/sys/fs/cgroup/cpu', pod.linux!.cgroupParent!);
    writeFileSync(join(above, 'cpu.cfs_quota_us'), '50000');
    const first = limits(pod, container);
    await assert.rejects(update(container, { cpuShares: 100, cpuQuota: 90_000 }), {
      code: 'INVALID_ARGUMENT',
      message: /cpu\.cfs_quota_us.*pod's cgroup/,
    });
    assert.deepEqual(limits(pod, container), first);
    // Half the period first would be more than the pod has, half the quota first is not.
    await update(container, { cpuQuota: 20_000, cpuPeriod: 50_000 });
    await update(container, { cpuQuota: 40_000, cpuPeriod: 100_000 });
    assert.deepEqual(limits(pod, container), first);
  });

  it('outlive the daemon', async () => {
    const { node } = suite;
    const { container, pod } = await runPod(node, 'long', ['sleep', '1000']);
    await update(
      container,
      { memoryLimitInBytes: 40 * MIB, oomScoreAdj: 900, hugepageLimits: [{ pageSize: '2MB', limit: 0n }] },
      { 'example.com/a': '1', 'example.com/b': '2' },
    );
    await update(container, { cpuShares: 300 }, { 'example.com/b': '3' });
    await node.kill9();
    await node.start();
    const { status, info } = await node.client.call('ContainerStatus', {
      containerId: container,
      verbose: true,
    });
    const { linux } = status!.resources!;
    assert.deepEqual(
      [linux!.memoryLimitInBytes, linux!.cpuShares, linux!.oomScoreAdj],
      [BigInt(40 * MIB), 300n, 900n],
    );
    assert.deepEqual(linux!.hugepageLimits, []);
    assert.match(info['notes']!, /2MB.*no hugetlb controller/);
    assert.deepEqual(JSON.parse(info['updateAnnotations']!), { 'example.com/a': '1', 'example.com/b': '3' });
    assert.deepEqual(status!.annotations, { 'io.kubernetes.container.restartCount': '0' });
    assert.equal(limits(pod, container)['memory'], 40 * MIB);
    await update(container, { cpuShares: 400 });
    assert.equal(limits(pod, container)['shares'], 400);
  });

  it('give every process the new oom_score_adj', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'score', ['sh', '-c', 'sleep 1000 & sleep 1001']);
    await update(container, { oomScoreAdj: 500 });
    const line = 'for p in $(pidof sleep) self; do cat /proc/$p/oom_score_adj; done';
    assert.deepEqual((await shell(node, container, line)).trim().split('\n'), ['500', '500', '500']);
    await update(container, { oomScoreAdj: -998 });
    const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
    const lowest = (await shell(node, container, line)).trim().split('\n');
    assert.equal(new Set(lowest).size, 1);
    if (lowest[0] !== '-998') assert.match(info['notes']!, /oom_score_adj -998 raised to/);
  });

  it('cannot change when the container is over or unknown', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'over', ['true']);
    await waitForExit(node, container);
    await assert.rejects(update(container, { cpuShares: 100 }), {
      code: 'FAILED_PRECONDITION',
      message: /It is exited/,
    });
    await assert.rejects(update('nobody', { cpuShares: 100 }), { code: 'NOT_FOUND' });
    await assert.rejects(update('', { cpuShares: 100 }), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(
      node.client.call('UpdateContainerResources', { containerId: container, windows: {} }),
      { code: 'INVALID_ARGUMENT' },
    );
  });

  for (const stage of ['update', 'commit']) {
    it(`are as before when the daemon dies at ${stage}`, async () => {
      const { node } = suite;
      const { container, pod } = await runPod(node, 'crash', ['sleep', '1000'], {
        container: { linux: { resources: { cpuShares: 100, memoryLimitInBytes: 64 * MIB } } },
      });
      const first = limits(pod, container);
      await node.restart({ BERTH_CRASH_AT: `UpdateContainerResources:${stage}` });
      await assert.rejects(update(container, { cpuShares: 900, memoryLimitInBytes: 128 * MIB }));
      await node.ended();
      if (stage === 'commit') assert.equal(limits(pod, container)['shares'], 900);
      await node.start();
      await update(container, { cpuQuota: -1 });
      assert.deepEqual(limits(pod, container), first);
      assert.equal((await statusOf(node, container)).resources!.linux!.cpuShares, 100n);
    });
  }

  it('hold in a cgroup that is spelled as a slice', async () => {
    const { node } = suite;
    const top = `berthtest${process.pid}`;
    const pod = podConfig(node, 'slice', { linux: { cgroupParent: `${top}-pod.slice` } });
    const sandbox = await runSandbox(node, pod);
    const resources = { memoryLimitInBytes: 64 * MIB };
    const config = containerConfig('main', ['sleep', '1000'], { linux: { resources } });
    const container = await createContainer(sandbox, node, config, pod);
    await node.client.call('StartContainer', { containerId: container });
    await update(container, { memoryLimitInBytes: 80 * MIB });
    const place = join('/sys/fs/cgroup/memory', `${top}.slice`, `${top}-pod.slice`, container);
    assert.equal(Number(readFileSync(join(place, 'memory.limit_in_bytes'), 'utf8')), 80 * MIB);
    const { stats } = await node.client.call('PodSandboxStats', { podSandboxId: sandbox });
    assert.equal(stats!.linux!.process!.processCount!.value, 2n);
    await removePod(node, sandbox);
    assert.ok(!existsSync(join('/sys/fs/cgroup/memory', `${top}.slice`)));
  });

  it('of a pod are kept beside it', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'whole-pod');
    const podSandboxId = await runSandbox(node, pod);
    await node.client.call('UpdatePodSandboxResources', {
      podSandboxId,
      resources: { cpuQuota: 1000, memoryLimitInBytes: 2 * MIB },
      overhead: { cpuShares: 5 },
    });
    await node.client.call('UpdatePodSandboxResources', { podSandboxId, resources: { cpuQuota: 2000 } });
    await node.kill9();
    await node.start();
    const { info } = await node.client.call('PodSandboxStatus', { podSandboxId, verbose: true });
    assert.equal((JSON.parse(info['resources']!) as { cpuQuota: number }).cpuQuota, 2000);
    assert.equal((JSON.parse(info['overhead']!) as { cpuShares: number }).cpuShares, 5);
    await node.client.call('StopPodSandbox', { podSandboxId });
    await assert.rejects(
      node.client.call('UpdatePodSandboxResources', { podSandboxId, resources: { cpuQuota: 1 } }),
      { code: 'FAILED_PRECONDITION' },
    );
    await assert.rejects(
      node.client.call('UpdatePodSandboxResources', { podSandboxId: 'nobody', resources: {} }),
      { code: 'NOT_FOUND' },
    );
  });
});
