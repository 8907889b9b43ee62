import type { UnaryHandler } from '../handler.ts';
import { podStatsFilterFromWire, podStatsToWire } from '../convert/stats.ts';

/** What the ready pods that match all of the filter use. */
export const listPodSandboxStats: UnaryHandler<'ListPodSandboxStats'> = async ({ pods }, { filter }) => ({
  stats: (await pods.listSandboxStats(podStatsFilterFromWire(filter))).map(podStatsToWire),
});
