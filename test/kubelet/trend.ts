/*
 * Whether a series of equal phases grows: by all its values, not by its ends.
 */

export interface Trend {
  /** Median of the slopes between all pairs (Theil and Sen), a phase. */
  slope: number;
  /** How likely so much rise is where nothing grows (Mann and Kendall, one-sided). */
  chance: number;
  /** What the slope makes of the whole series. */
  rise: number;
}

/** The trend of `values`, one of each phase. Throws with fewer than three. */
export function trendOf(values: readonly number[]): Trend {
  if (values.length < 3) throw new Error('Three phases at least make a trend');
  const slopes: number[] = [];
  let sign = 0;
  for (let i = 0; i < values.length; i++)
    for (let j = i + 1; j < values.length; j++) {
      slopes.push((values[j]! - values[i]!) / (j - i));
      sign += Math.sign(values[j]! - values[i]!);
    }
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  const slope = slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
  return { slope, rise: slope * (values.length - 1), chance: chanceOf(sign, values) };
}

/** P(S >= sign) when nothing grows, by the normal approximation with ties taken into account. */
function chanceOf(sign: number, values: readonly number[]): number {
  const n = values.length;
  const ties = new Map<number, number>();
  for (const value of values) ties.set(value, (ties.get(value) ?? 0) + 1);
  const tied = [...ties.values()].reduce((sum, t) => sum + t * (t - 1) * (2 * t + 5), 0);
  const variance = (n * (n - 1) * (2 * n + 5) - tied) / 18;
  if (variance === 0) return 1;
  const z = (sign - Math.sign(sign)) / Math.sqrt(variance);
  return 1 - normal(z);
}

/** The normal distribution's share below `z` (Abramowitz and Stegun 26.2.17; error below 1e-7). */
function normal(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const tail =
    density *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z >= 0 ? 1 - tail : tail;
}

/**
 * Whether a series grows: it rises by more than `tolerance` from its first to its last phase, and chance alone would
 * do that once in twenty times at most.
 */
export function grows(values: readonly number[], tolerance: number): boolean {
  const { rise, chance } = trendOf(values);
  return rise > tolerance && chance < 0.05;
}
