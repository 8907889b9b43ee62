import { CGROUP_ROWS } from '../../pod/metrics/cgroup-rows.ts';
import { CONTAINER_ROWS } from '../../pod/metrics/container-rows.ts';
import { BASE_LABELS, type MetricRow } from '../../pod/metrics/metric.ts';
import { NETWORK_ROWS } from '../../pod/metrics/network-rows.ts';
import { AgentCounts } from '../../deploy/agent/agent-counts.ts';
import { AgentMetrics } from '../../deploy/agent/agent-metrics.ts';
import type { DescribedMetric } from '../metric-values.ts';
import { Metrics } from '../metrics.ts';
import { StreamingCounts } from '../streaming/counts.ts';
import { code, markdownTable, sentence } from './markdown.ts';
import { WHEN_TO_LOOK, WHEN_TO_LOOK_AT_AGENTS } from './when-to-look.ts';

const HEAD = `# Metrics

Generated from the registries of daemon and agent (\`npm run documents\`); do not change it by hand.

## Of the daemon

Prometheus reads them at \`http://127.0.0.1:9464/metrics\` (\`[metrics] listen\`). Nothing is measured between two
scrapes but calls, stages and the delay of the event loop; all else is counted when somebody asks. Metrics that name an
image are there only while it is pulled, so that their number stays small.

Seconds, bytes and counts are meant as they are, without prefixes. A histogram has \`_bucket\`, \`_sum\` and \`_count\`.
Operations and stages are those of [architecture.md](architecture.md#a-pods-way-through-the-house).

`;

const OF_AGENTS = `
## Of the node agent

\`berth agent --metrics ADDRESS\` serves them at \`http://ADDRESS/metrics\`, and its health for probes at \`/healthz\`
([agent.md](agent.md)). All of them are read when somebody asks.

`;

const OF_PODS = `
## Of pods, through the kubelet

ListMetricDescriptors and ListPodSandboxMetrics give them to the kubelet, which shows them at \`/metrics/cadvisor\` when
its feature gate PodAndContainerStatsFromCRI is on. They have the names, labels and meanings that cAdvisor gives them.
Each has the labels ${BASE_LABELS.map((label) => code(label)).join(', ')}; \`container\` and \`image\` are empty on those of
a whole pod. What a node cannot tell (no swap, no pressure files, another version of cgroups) is left out.

`;

/** docs/metrics.md: every metric of the registry, and every one that goes through the CRI. Throws on one without advice. */
export function metricsDocument(): string {
  return (
    HEAD +
    registryTable(describedMetrics(), WHEN_TO_LOOK) +
    OF_AGENTS +
    registryTable(agentMetrics(), WHEN_TO_LOOK_AT_AGENTS) +
    OF_PODS +
    markdownTable(['name', 'type', 'further labels', 'meaning'], podRows())
  );
}

function registryTable(described: DescribedMetric[], advice: Record<string, string>): string {
  const stale = Object.keys(advice).filter((name) => !described.some((metric) => metric.name === name));
  if (stale.length > 0)
    throw new Error(`cri/documents/when-to-look.ts tells of metrics that are not there: ${stale.join(', ')}`);
  const rows = described.map((metric) => [
    code(metric.name),
    metric.type,
    labelsOf(metric),
    unitOf(metric.name),
    sentence(metric.help),
    adviceFor(metric.name, advice),
  ]);
  return markdownTable(['name', 'type', 'labels', 'unit', 'meaning', 'when to look'], rows);
}

/** All that the daemon has, as it puts them together; nothing is asked for its value. */
function describedMetrics(): DescribedMetric[] {
  const metrics = new Metrics('');
  metrics.addStreaming(new StreamingCounts());
  metrics.addCensus(unasked);
  metrics.addPulls(unasked);
  return metrics.describe();
}

function agentMetrics(): DescribedMetric[] {
  return new AgentMetrics({ status: unasked, counts: new AgentCounts() }, '').describe();
}

function unasked(): never {
  throw new Error('A description asks for no values');
}

function adviceFor(name: string, advice: Record<string, string>): string {
  const words = advice[name];
  if (words === undefined)
    throw new Error(`The metric ${name} has no advice: write a line into cri/documents/when-to-look.ts`);
  return words;
}

function labelsOf({ labels }: DescribedMetric): string {
  return labels.map((label) => code(label)).join(', ');
}

/** By the endings that Prometheus asks for. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 'seconds';
  if (/_bytes(_total)?$/.test(name)) return 'bytes';
  return name.endsWith('_info') ? '' : 'count';
}

function podRows(): string[][] {
  const rows: readonly MetricRow<never>[] = [...CGROUP_ROWS, ...CONTAINER_ROWS, ...NETWORK_ROWS];
  const unique = new Map(rows.map((row) => [row.name, row]));
  return [...unique.values()]
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ name, kind, labels, help }) => [
      code(name),
      kind,
      labels.map((label) => code(label)).join(', '),
      sentence(help),
    ]);
}
