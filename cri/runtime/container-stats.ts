import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { containerStatsToWire } from '../convert/stats.ts';

/** What one container uses; NotFound when it is not there. */
export const containerStats: UnaryHandler<'ContainerStats'> = async ({ pods }, { containerId }) => ({
  stats: containerStatsToWire(await pods.containerStats(filled(containerId, 'containerId'))),
});
