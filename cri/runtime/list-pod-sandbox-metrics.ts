import type { UnaryHandler } from '../handler.ts';
import { podMetricsItems } from '../lists.ts';

/** The metrics of all ready pods and their running containers. */
export const listPodSandboxMetrics: UnaryHandler<'ListPodSandboxMetrics'> = ({ pods }) =>
  podMetricsItems.all(pods.podMetrics());
