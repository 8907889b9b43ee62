/** One metric as the CRI describes it: a name, what it means, and the names of its labels. */
export interface MetricDescriptor {
  name: string;
  help: string;
  labels: readonly string[];
}

/** One value of a metric. The labels stand in the order of the descriptor's. */
export interface Sample {
  name: string;
  kind: 'counter' | 'gauge';
  timestampNs: bigint;
  labels: readonly string[];
  value: bigint;
}

/** Labels that every metric has, with cAdvisor's meaning: `id` is the cgroup's path; the last three name a container. */
export const BASE_LABELS = ['pod', 'namespace', 'container', 'id', 'image'] as const;

/** A value, with the values of the labels that its metric has beyond the base. */
export type Value = bigint | { labels: string[]; value: bigint };

/**
 * A metric and the way to its values: descriptors and samples come from the same row, so that no sample has other
 * labels than its descriptor says (cri-o#9784). No value at all: there is nothing to tell.
 */
export interface MetricRow<F> {
  name: string;
  help: string;
  kind: 'counter' | 'gauge';
  /** Beyond the base. */
  labels: readonly string[];
  read(facts: F): Value | Value[] | undefined;
}

/** The descriptors of these rows. */
export function descriptorsOf(rows: readonly MetricRow<never>[]): MetricDescriptor[] {
  return rows.map(({ name, help, labels }) => ({ name, help, labels: [...BASE_LABELS, ...labels] }));
}

/** The samples that these rows make of the facts. `base` are the values of the base labels. */
export function samplesOf<F>(
  rows: readonly MetricRow<F>[],
  facts: F,
  base: readonly string[],
  timestampNs: bigint,
): Sample[] {
  const samples: Sample[] = [];
  for (const { name, kind, read } of rows) {
    const add = (one: Value): void => {
      const [labels, value] = typeof one === 'bigint' ? [base, one] : [[...base, ...one.labels], one.value];
      samples.push({ name, kind, timestampNs, labels, value });
    };
    const found = read(facts);
    if (Array.isArray(found)) found.forEach(add);
    else if (found !== undefined) add(found);
  }
  return samples;
}

/** A counter that only grows. */
export function counter<F>(
  name: string,
  help: string,
  read: MetricRow<F>['read'],
  labels: readonly string[] = [],
): MetricRow<F> {
  return { name, help, kind: 'counter', labels, read };
}

/** A value that goes up and down. */
export function gauge<F>(
  name: string,
  help: string,
  read: MetricRow<F>['read'],
  labels: readonly string[] = [],
): MetricRow<F> {
  return { name, help, kind: 'gauge', labels, read };
}

/** Whole seconds: the CRI carries integers only. */
export function seconds(ns: bigint): bigint {
  return ns / 1_000_000_000n;
}
