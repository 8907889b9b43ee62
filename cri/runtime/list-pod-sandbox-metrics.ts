import type { UnaryHandler } from '../handler.ts';
import { podMetricsToWire } from '../convert/metrics.ts';

/** The metrics of all ready pods and their running containers. */
export const listPodSandboxMetrics: UnaryHandler<'ListPodSandboxMetrics'> = async ({ pods }) => ({
  podMetrics: (await pods.podMetrics()).map(podMetricsToWire),
});
