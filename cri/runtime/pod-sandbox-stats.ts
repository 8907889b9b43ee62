import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { podStatsToWire } from '../convert/stats.ts';

/** What one ready pod uses; NotFound when it is not there. */
export const podSandboxStats: UnaryHandler<'PodSandboxStats'> = async ({ pods }, { podSandboxId }) => ({
  stats: podStatsToWire(await pods.sandboxStats(filled(podSandboxId, 'podSandboxId'))),
});
