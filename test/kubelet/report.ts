import { quantile, type Book } from './book.ts';
import type { Weight } from './daemon-weight.ts';
import type { DayResult } from './day.ts';
import { TIMED_LISTS, type ListTimes } from './list-clock.ts';
import { grows, trendOf } from './trend.ts';

/** p99 of the lists that a kubelet makes each second has to stay below this, on a machine that does nothing else. */
const LIST_LIMIT_MS = 20;
/** A machine that wakes a thread so late (p99) has other things to do: times say nothing of the daemon then. */
const BUSY_MS = 10;
/** Phases until caches are full and code is compiled; they tell nothing of growth. */
const SETTLING_PHASES = 3;
/** With fewer phases than these nothing can be said of growth. */
const PHASES_TO_JUDGE = 6;

/** What may come between the first and the last phase without being growth: MiB, descriptors, threads. */
const TOLERANCES: Record<keyof Weight, number> = { heap: 1, code: 2, pss: 4, rss: 6, fds: 2, threads: 1 };

export interface Verdict {
  ok: boolean;
  /** What a person reads. */
  lines: string[];
}

/** Tells of a day. `judgeTimes`: whether slow lists fail it, too. */
export function report({ book, weights, lists, metrics }: DayResult, judgeTimes: boolean): Verdict {
  const verdicts = [ofErrors(book), ofGrowth(weights), ofLists(lists, metrics, judgeTimes)];
  return {
    ok: verdicts.every(({ ok }) => ok),
    lines: [...deedsOf(book), '', ...timesOf(book), '', ...verdicts.flatMap(({ lines }) => lines)],
  };
}

function ofErrors({ complaints }: Book): Verdict {
  const lines = complaints.flatMap(({ kind, times, examples }) => [
    `  ${times} x ${kind}`,
    ...examples.map((example) => `      ${example}`),
  ]);
  const sum = complaints.reduce((all, { times }) => all + times, 0);
  return {
    ok: sum === 0,
    lines: [`${mark(sum === 0)} errors that a kubelet would not expect: ${sum}`, ...lines],
  };
}

/** Growth of the daemon over the equal phases after the first ones. */
export function ofGrowth(weights: Weight[]): Verdict {
  const settled = weights.slice(SETTLING_PHASES);
  if (settled.length < PHASES_TO_JUDGE)
    return {
      ok: true,
      lines: [`-      growth is not judged: ${settled.length} settled phases, ${PHASES_TO_JUDGE} are needed`],
    };
  const verdicts = (Object.keys(TOLERANCES) as (keyof Weight)[]).map((key) => {
    const values = settled.map((weight) => weight[key]);
    const { slope, rise, chance } = trendOf(values);
    const ok = !grows(values, TOLERANCES[key]);
    const series = values.map((value) => value.toFixed(key === 'fds' || key === 'threads' ? 0 : 1)).join(' ');
    return {
      ok,
      line: `${mark(ok)} ${key} does not grow: ${slope.toFixed(3)} a phase, ${rise.toFixed(2)} in all (chance ${chance.toFixed(2)}): ${series}`,
    };
  });
  return { ok: verdicts.every(({ ok }) => ok), lines: verdicts.map(({ line }) => line) };
}

function ofLists(lists: ListTimes, metrics: string, judge: boolean): Verdict {
  const p99 = TIMED_LISTS.map((rpc) => quantile(lists[rpc], 0.99));
  const slow = p99.some((ms) => ms >= LIST_LIMIT_MS);
  const told = TIMED_LISTS.map((rpc, at) => {
    const within = shareWithin(metrics, rpc, LIST_LIMIT_MS / 1000 + 0.005);
    return `${rpc} ${p99[at]!.toFixed(1)} ms, p50 ${quantile(lists[rpc], 0.5).toFixed(1)} ms (by the daemon's own count ${(within * 100).toFixed(2)} % within 25 ms)`;
  });
  const late = quantile(lists.late, 0.99);
  const machine = `this machine wakes the thread that measures ${late.toFixed(1)} ms late at p99${lists.first ? '' : ', and measures by an ordinary one'}`;
  const line = `p99 of the lists below ${LIST_LIMIT_MS} ms: ${told.join(', ')}; ${machine}`;
  if (judge && (late < BUSY_MS || !slow)) return { ok: !slow, lines: [`${mark(!slow)} ${line}`] };
  return { ok: true, lines: [`-      ${line} (not judged${judge ? ': it is not quiet' : ''})`] };
}

/** The share of calls of `rpc` that the daemon's histogram has at or below `seconds`, which is one of its bounds. */
function shareWithin(metrics: string, rpc: string, seconds: number): number {
  const value = (suffix: string): number => {
    const sample = new RegExp(`^berth_rpc_duration_seconds_${suffix} (\\S+)$`, 'm').exec(metrics);
    return Number(sample?.[1] ?? 0);
  };
  const within = value(`bucket\\{le="${seconds}",rpc="${rpc}",code="OK"\\}`);
  return within / Math.max(1, value(`count\\{rpc="${rpc}",code="OK"\\}`));
}

function deedsOf({ deeds }: Book): string[] {
  return [...deeds]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([deed, many]) => `  ${String(many).padStart(7)} ${deed}`);
}

function timesOf({ times }: Book): string[] {
  const row = (cells: string[]): string =>
    `  ${cells[0]!.padEnd(28)}${cells
      .slice(1)
      .map((cell) => cell.padStart(10))
      .join('')}`;
  const rows = [...times]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([rpc, values]) =>
      row([rpc, String(values.length), ...[0.5, 0.99, 1].map((share) => quantile(values, share).toFixed(1))]),
    );
  return [row(['milliseconds', 'calls', 'p50', 'p99', 'most']), ...rows];
}

function mark(ok: boolean): string {
  return ok ? 'ok    ' : 'FAILED';
}
