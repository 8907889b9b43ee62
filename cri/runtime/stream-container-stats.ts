import type { StreamHandler } from '../handler.ts';
import { statsFilterFromWire } from '../convert/stats.ts';
import { containerStatsItems } from '../lists.ts';

/** The same statistics as the plain list, in parts of bounded size. */
export const streamContainerStats: StreamHandler<'StreamContainerStats'> = async function* (
  { pods },
  { filter },
) {
  yield* containerStatsItems.parts(await pods.listContainerStats(statsFilterFromWire(filter)));
};
