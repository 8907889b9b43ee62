import type { StreamHandler } from '../handler.ts';
import { inChunks } from '../chunks.ts';
import { podStatsFilterFromWire, podStatsToWire } from '../convert/stats.ts';

/** The same statistics as the plain list, in parts of bounded size. */
export const streamPodSandboxStats: StreamHandler<'StreamPodSandboxStats'> = async function* (
  { pods },
  { filter },
) {
  const stats = await pods.listSandboxStats(podStatsFilterFromWire(filter));
  for (const podSandboxStats of inChunks(stats, podStatsToWire)) yield { podSandboxStats };
};
