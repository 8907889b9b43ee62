import type { UnaryHandler } from '../handler.ts';
import { containerStatsToWire, statsFilterFromWire } from '../convert/stats.ts';

/** What the running containers that match all of the filter use. */
export const listContainerStats: UnaryHandler<'ListContainerStats'> = async ({ pods }, { filter }) => ({
  stats: (await pods.listContainerStats(statsFilterFromWire(filter))).map(containerStatsToWire),
});
