import type Counter from 'prom-client/lib/counter.js';
import type Gauge from 'prom-client/lib/gauge.js';
import type Registry from 'prom-client/lib/registry.js';

/** One metric as its reference shows it. */
export interface DescribedMetric {
  name: string;
  help: string;
  type: string;
  labels: string[];
}

type Metric = Omit<DescribedMetric, 'labels'> & { labelNames?: string[] };

/** What a registry has, for the reference; nothing is asked for its value. */
export function describeMetrics(registry: Registry): DescribedMetric[] {
  // The library's own type leaves out what every metric of it has.
  const metrics = registry.getMetricsAsArray() as unknown as Metric[];
  return metrics.map(({ name, help, type, labelNames }) => ({ name, help, type, labels: labelNames ?? [] }));
}

/** Gives a counter the count that is kept elsewhere. */
export function setTotal(counter: Counter, count: number): void {
  counter.reset();
  counter.inc(count);
}

/** Gives a gauge with one label its values. */
export function setEach<L extends string>(gauge: Gauge<L>, label: L, counts: Record<string, number>): void {
  for (const [value, count] of Object.entries(counts))
    gauge.set({ [label]: value } as Record<L, string>, count);
}
