import assert from 'node:assert/strict';
import type { ResponseOf } from '../../cri/rpc.ts';
import {
  runPod,
  runSandbox,
  podConfig,
  shell,
  waitForExit,
  createContainer,
  containerConfig,
  BUSYBOX,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

type Metric = ResponseOf<'ListPodSandboxMetrics'>['podMetrics'][number]['metrics'][number];

const MIB = 2 ** 20;

describe('metrics over the CRI', () => {
  const suite = useNode();

  for (const handler of ['crun', 'runc']) {
    it(`tell with ${handler} of pods and their running containers, each label as described`, async () => {
      const { node } = suite;
      const { descriptors } = await node.client.call('ListMetricDescriptors', {});
      const labels = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys]));
      const { sandbox, container, pod } = await runPod(node, 'seen', ['sleep', '1000'], {
        handler,
        container: {
          linux: { resources: { memoryLimitInBytes: 64 * MIB, cpuQuota: 50_000, cpuPeriod: 100_000 } },
        },
      });
      const failed = await createContainer(sandbox, node, containerConfig('failed', ['false']), pod);
      await node.client.call('StartContainer', { containerId: failed });
      await waitForExit(node, failed);
      const empty = await runSandbox(node, podConfig(node, 'empty'));
      await shell(node, container, 'ping -c 2 10.88.0.1 || true; sync');
      const { podMetrics } = await node.client.call('ListPodSandboxMetrics', {});
      assert.deepEqual(
        new Set(podMetrics.map(({ podSandboxId }) => podSandboxId)),
        new Set([sandbox, empty]),
      );
      const ours = podMetrics.find(({ podSandboxId }) => podSandboxId === sandbox)!;
      assert.deepEqual(
        ours.containerMetrics.map(({ containerId }) => containerId),
        [container],
      );
      const ofContainer = ours.containerMetrics[0]!.metrics;
      for (const { name, labelValues, value, timestamp } of [...ours.metrics, ...ofContainer]) {
        assert.equal(labelValues.length, labels.get(name)?.length, name);
        assert.deepEqual(labelValues.slice(0, 2), ['seen', 'default'], name);
        assert.ok(value!.value >= 0n && timestamp > 10n ** 18n, name);
      }
      const valueOf = (metrics: Metric[], name: string, ...more: string[]): bigint | undefined =>
        metrics.find((one) => one.name === name && more.every((label) => one.labelValues.includes(label)))
          ?.value!.value;
      assert.deepEqual(ofContainer[0]!.labelValues.slice(2, 5), [
        'main',
        `${pod.linux!.cgroupParent}/${container}`,
        BUSYBOX,
      ]);
      assert.ok(valueOf(ours.metrics, 'container_network_transmit_bytes_total', 'eth0')! > 0n);
      assert.ok(valueOf(ours.metrics, 'container_memory_usage_bytes')! > 0n);
      assert.equal(valueOf(ofContainer, 'container_spec_memory_limit_bytes'), BigInt(64 * MIB));
      assert.equal(valueOf(ofContainer, 'container_spec_cpu_quota'), 50_000n);
      assert.equal(valueOf(ofContainer, 'container_processes'), 1n);
      assert.equal(valueOf(ofContainer, 'container_oom_events_total'), 0n);
      assert.ok(valueOf(ofContainer, 'container_fs_limit_bytes')! > 0n);
      assert.ok(valueOf(ofContainer, 'container_file_descriptors')! >= 3n);
      const started = valueOf(ofContainer, 'container_start_time_seconds')!;
      assert.ok(Math.abs(Number(started) - Date.now() / 1000) < 60, `${started} is no time in seconds`);
      const streamed: string[] = [];
      for await (const { podSandboxMetrics } of node.client.stream('StreamPodSandboxMetrics', {}))
        streamed.push(...podSandboxMetrics.map(({ podSandboxId }) => podSandboxId));
      assert.deepEqual(
        streamed,
        podMetrics.map(({ podSandboxId }) => podSandboxId),
      );
    });
  }
});
