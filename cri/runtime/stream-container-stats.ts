import type { StreamHandler } from '../handler.ts';
import { inChunks } from '../chunks.ts';
import { containerStatsToWire, statsFilterFromWire } from '../convert/stats.ts';

/** The same statistics as the plain list, in parts of bounded size. */
export const streamContainerStats: StreamHandler<'StreamContainerStats'> = async function* (
  { pods },
  { filter },
) {
  const stats = await pods.listContainerStats(statsFilterFromWire(filter));
  for (const containerStats of inChunks(stats, containerStatsToWire)) yield { containerStats };
};
