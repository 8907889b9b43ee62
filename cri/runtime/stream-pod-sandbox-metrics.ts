import type { StreamHandler } from '../handler.ts';
import { inChunks } from '../chunks.ts';
import { podMetricsToWire } from '../convert/metrics.ts';

/** A pod's metrics are some hundred times as large as a pod in a list. */
const PODS_A_PART = 16;

/** The same metrics as the plain list, in parts of bounded size. */
export const streamPodSandboxMetrics: StreamHandler<'StreamPodSandboxMetrics'> = async function* ({ pods }) {
  const metrics = await pods.podMetrics();
  for (const podSandboxMetrics of inChunks(metrics, podMetricsToWire, PODS_A_PART))
    yield { podSandboxMetrics };
};
