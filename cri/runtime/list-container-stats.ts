import type { UnaryHandler } from '../handler.ts';
import { statsFilterFromWire } from '../convert/stats.ts';
import { containerStatsItems } from '../lists.ts';

/** What the running containers that match all of the filter use. */
export const listContainerStats: UnaryHandler<'ListContainerStats'> = async ({ pods }, { filter }) =>
  containerStatsItems.all(await pods.listContainerStats(statsFilterFromWire(filter)));
