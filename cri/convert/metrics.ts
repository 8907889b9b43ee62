import type { MetricDescriptor, Sample } from '../../pod/metrics/metric.ts';
import type { PodMetrics } from '../../pod/pods.ts';
import { MetricType } from '../proto/codec.js';
import type * as wire from '../proto/codec.js';

/** What a metric means and which labels it has. */
export function descriptorToWire({
  name,
  help,
  labels,
}: MetricDescriptor): wire.Input<wire.MetricDescriptor> {
  return { name, help, labelKeys: [...labels] };
}

/** All metrics of one pod. */
export function podMetricsToWire(pod: PodMetrics): wire.Input<wire.PodSandboxMetrics> {
  return {
    podSandboxId: pod.sandboxId,
    metrics: pod.samples.map(sampleToWire),
    containerMetrics: pod.containers.map(({ id, samples }) => ({
      containerId: id,
      metrics: samples.map(sampleToWire),
    })),
  };
}

function sampleToWire({ name, kind, timestampNs, labels, value }: Sample): wire.Input<wire.Metric> {
  return {
    name,
    timestamp: timestampNs,
    metricType: kind === 'counter' ? MetricType.COUNTER : MetricType.GAUGE,
    labelValues: labels,
    value: { value },
  };
}
