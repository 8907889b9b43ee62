import type { StreamHandler } from '../handler.ts';
import { podStatsFilterFromWire } from '../convert/stats.ts';
import { podStatsItems } from '../lists.ts';

/** The same statistics as the plain list, in parts of bounded size. */
export const streamPodSandboxStats: StreamHandler<'StreamPodSandboxStats'> = async function* (
  { pods },
  { filter },
) {
  yield* podStatsItems.parts(await pods.listSandboxStats(podStatsFilterFromWire(filter)));
};
