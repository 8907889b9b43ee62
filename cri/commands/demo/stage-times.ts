import { STAGES, type Operation } from '../../../ground/stages.ts';

/** Milliseconds that one stage of an operation took. */
export interface StageTime {
  operation: Operation;
  stage: string;
  ms: number;
}

const LINE = /^berth_stage_duration_seconds_sum\{([^}]*)\} (\S+)$/gm;

/** The sums of all stages so far, from the daemon's metrics page, in the order of `STAGES`; what never ran is 0. */
export function stageTimes(page: string): StageTime[] {
  const sums = new Map<string, number>();
  for (const [, labels, seconds] of page.matchAll(LINE)) {
    const label = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(labels!)?.[1] ?? '';
    const key = `${label('operation')} ${label('stage')}`;
    sums.set(key, (sums.get(key) ?? 0) + Number(seconds) * 1000);
  }
  return Object.entries(STAGES).flatMap(([operation, stages]) =>
    stages.map((stage) => ({
      operation: operation as Operation,
      stage,
      ms: sums.get(`${operation} ${stage}`) ?? 0,
    })),
  );
}

/** What was added between two readings, of those `operations` alone. */
export function timesBetween(before: StageTime[], after: StageTime[], operations: Operation[]): StageTime[] {
  return after
    .map((time, i) => ({ ...time, ms: time.ms - before[i]!.ms }))
    .filter(({ operation }) => operations.includes(operation));
}
