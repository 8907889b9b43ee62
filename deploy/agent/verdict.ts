import type { DaemonReport } from './daemon-watch.ts';
import { CONDITION, type NodeCondition } from './node-view.ts';

/** Whether Berth serves its node, and if not, why. */
export interface Verdict {
  status: 'True' | 'False';
  /** One word. */
  reason: string;
  message: string;
}

const MAX_MESSAGE = 1024;

/** What the daemon says of itself (or that it says nothing) as one verdict. */
export function verdictOf(report: DaemonReport): Verdict {
  if ('trouble' in report)
    return { status: 'False', reason: 'DaemonUnreachable', message: report.trouble.slice(0, MAX_MESSAGE) };
  const { conditions, census } = report.facts;
  const failing = conditions.filter(({ status }) => !status);
  if (failing.length === 0) {
    const version = `Berth ${census.version} serves`;
    return { status: 'True', reason: 'DaemonServes', message: version };
  }
  return {
    status: 'False',
    // A condition's reason is one word, of the runtime's choice.
    reason: /^[A-Za-z]([\w,:]*\w)?$/.test(failing[0]!.reason)
      ? failing[0]!.reason
      : `${failing[0]!.type}False`,
    message: failing
      .map(({ type, message }) => `${type}: ${message}`)
      .join('; ')
      .slice(0, MAX_MESSAGE),
  };
}

/** In milliseconds. */
export interface SteadyTimes {
  /** How long it has to be bad before that is said. */
  fallMs: number;
  /** How long it has to be good again. */
  riseMs: number;
}

/**
 * A verdict that does not flap: an update of the daemon is no news.
 *
 *     (nothing said) --good--> True <--good for riseMs-- False
 *           \                   \--bad for fallMs------>  ^
 *            \-------------bad for fallMs-----------------/
 *
 * Times are those of a clock that never jumps.
 */
export class Steady {
  readonly #times: SteadyTimes;
  #said: Verdict | undefined;
  #otherSince: number | undefined;

  constructor(times: SteadyTimes) {
    this.#times = times;
  }

  /** What is to be said after it was seen to be `now` at `atMs`; undefined: nothing yet. */
  see(now: Verdict, atMs: number): Verdict | undefined {
    if (this.#said?.status === now.status) {
      this.#otherSince = undefined;
      return (this.#said = now);
    }
    this.#otherSince ??= atMs;
    const patience =
      now.status === 'False' ? this.#times.fallMs : this.#said === undefined ? 0 : this.#times.riseMs;
    if (atMs - this.#otherSince < patience) return this.#said;
    this.#otherSince = undefined;
    return (this.#said = now);
  }
}

/** The condition for this verdict; the time of its last transition is that of `before` unless the status is another. */
export function conditionFor(verdict: Verdict, before: NodeCondition | undefined, now: Date): NodeCondition {
  const time = `${now.toISOString().slice(0, 19)}Z`;
  const same = before?.status === verdict.status && before.lastTransitionTime !== '';
  return {
    type: CONDITION,
    ...verdict,
    lastHeartbeatTime: time,
    lastTransitionTime: same ? before.lastTransitionTime : time,
  };
}

/** Whether a condition says this. */
export function says(condition: NodeCondition | undefined, { status, reason, message }: Verdict): boolean {
  return condition?.status === status && condition.reason === reason && condition.message === message;
}
