/** What a table shows of many samples, in the samples' unit. */
export interface Quantiles {
  p50: number;
  p90: number;
  samples: number;
}

/** The nearest-rank p50 and p90 of `values`. Throws when there is none. */
export function quantiles(values: number[]): Quantiles {
  if (values.length === 0) throw new Error('No sample was taken');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { p50: at(0.5), p90: at(0.9), samples: sorted.length };
}
