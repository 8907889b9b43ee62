import assert from 'node:assert/strict';
import { runPod } from '../pods.ts';
import { useNode } from '../use-node.ts';

describe('metrics', () => {
  const suite = useNode();

  async function scrape(): Promise<Map<string, number>> {
    const request = "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 127.0.0.1 9464";
    const answer = await suite.node.exec(['sh', '-c', request]);
    assert.match(answer, /^HTTP\/1\.[01] 200/);
    const samples = [...answer.matchAll(/^([a-z_0-9]+(?:\{[^}]*\})?) ([-+.\deNa]+)$/gm)];
    return new Map(samples.map((sample) => [sample[1]!, Number(sample[2])]));
  }

  it('count calls, stages, sandboxes and containers', async () => {
    const { node } = suite;
    await runPod(node, 'counted', ['sleep', '1000']);
    await node.client.call('ContainerStatus', { containerId: 'absent' }).catch(() => {}); // is there to be counted
    const samples = await scrape();
    const sample = (name: string, ...labels: string[]): number | undefined =>
      [...samples].find(([key]) => key.startsWith(name) && labels.every((label) => key.includes(label)))?.[1];
    assert.equal(sample('berth_sandboxes', 'state="ready"'), 1);
    assert.equal(sample('berth_containers', 'state="running"'), 1);
    assert.equal(sample('berth_debts'), 0);
    assert.equal(sample('berth_rpc_duration_seconds_count', 'RunPodSandbox', 'OK'), 1);
    assert.equal(sample('berth_rpc_duration_seconds_count', 'ContainerStatus', 'NOT_FOUND'), 1);
    assert.equal(sample('berth_stage_duration_seconds_count', 'RunPodSandbox', 'network'), 1);
    assert.equal(sample('berth_stage_duration_seconds_count', 'CreateContainer', 'create'), 1);
    assert.ok((sample('process_resident_memory_bytes') ?? 0) > 10e6);
    assert.ok(sample('nodejs_eventloop_lag_p99_seconds') !== undefined);
  });
});
