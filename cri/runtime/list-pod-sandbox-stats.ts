import type { UnaryHandler } from '../handler.ts';
import { podStatsFilterFromWire } from '../convert/stats.ts';
import { podStatsItems } from '../lists.ts';

/** What the ready pods that match all of the filter use. */
export const listPodSandboxStats: UnaryHandler<'ListPodSandboxStats'> = async ({ pods }, { filter }) =>
  podStatsItems.all(await pods.listSandboxStats(podStatsFilterFromWire(filter)));
