import type { WatchTimes } from '../../kubernetes/following.ts';
import type { DaemonTimes } from './daemon-watch.ts';
import type { EventBounds } from './events.ts';
import type { MatterBounds } from './matters.ts';
import type { SteadyTimes } from './verdict.ts';

/** Every wait and bound of the agent. In milliseconds. */
export interface AgentTimes {
  daemon: DaemonTimes;
  steady: SteadyTimes;
  matters: MatterBounds;
  events: EventBounds;
  watch: Partial<WatchTimes>;
  /** The condition is written so often although nothing changed, a tenth more or less. */
  heartbeatMs: number;
  /** The same is not written again sooner, whoever has changed it back. */
  againMs: number;
  /** First pause after a failure, doubled up to the longest; each is shortened by up to a half at random. */
  pauseMs: number;
  longestPauseMs: number;
}

export const TIMES: AgentTimes = {
  daemon: { pollMs: 10_000, retryMs: 2_000, patienceMs: 5_000 },
  steady: { fallMs: 20_000, riseMs: 5_000 },
  matters: { oldDebtMs: 10 * 60_000, low: 0.1, enough: 0.13, recentMs: 60 * 60_000 },
  events: { repeatMs: 30 * 60_000, againMs: 60_000, burst: 20, refillMs: 30_000, remembered: 128 },
  watch: {},
  // As the kubelet reports a Node of which nothing has changed (nodeStatusReportFrequency).
  heartbeatMs: 5 * 60_000,
  againMs: 10_000,
  pauseMs: 1_000,
  longestPauseMs: 60_000,
};
