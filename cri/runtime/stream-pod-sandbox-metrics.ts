import type { StreamHandler } from '../handler.ts';
import { podMetricsItems } from '../lists.ts';

/** The same metrics as the plain list, in parts of bounded size. */
export const streamPodSandboxMetrics: StreamHandler<'StreamPodSandboxMetrics'> = ({ pods }) =>
  podMetricsItems.parts(pods.podMetrics());
