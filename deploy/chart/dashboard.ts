/*
 * The dashboard for Grafana: what a person asks first about the runtimes of a cluster. The metrics are those of
 * docs/metrics.md; a test holds their names and labels against the daemon's registry.
 */

interface Query {
  expr: string;
  legend: string;
}

interface Panel {
  title: string;
  description: string;
  unit: string;
  queries: Query[];
  /** A figure instead of a curve. */
  stat?: boolean;
}

const ON = 'node=~"$node"';
const quantile = (q: number, metric: string, by: string, filter: string): string =>
  `histogram_quantile(${q}, sum by (le, ${by}) (rate(${metric}_bucket{${filter}}[$__rate_interval])))`;
const rate = (metric: string): string => `rate(${metric}{${ON}}[$__rate_interval])`;
/** Every process has metrics of these names: those of the daemons alone. */
const ofDaemons = (series: string): string => `${series} and on (job, instance) berth_build_info`;

const sumOf = (series: string, by: string): Query => ({
  expr: `sum by (${by}) (${series})`,
  legend: by
    .split(', ')
    .map((label) => `{{${label}}}`)
    .join(' '),
});
const sum = (metric: string, by: string): Query => sumOf(`${metric}{${ON}}`, by);
const growth = (metric: string, by: string): Query => sumOf(rate(metric), by);

const panel = (title: string, description: string, unit: string, ...queries: Query[]): Panel => ({
  title,
  description,
  unit,
  queries,
});

const ROWS: Record<string, Panel[]> = {
  Nodes: [
    {
      ...panel('Daemons', 'How many nodes run which version', 'short', {
        expr: `count by (version) (berth_build_info{${ON}})`,
        legend: '{{version}}',
      }),
      stat: true,
    },
    panel('Pods', 'Sandboxes by state', 'short', sum('berth_sandboxes', 'state')),
    panel('Containers', 'By state', 'short', sum('berth_containers', 'state')),
    panel(
      'Debts and quarantine',
      'Undo steps that are tried again, and records that could not be read: berth status says more',
      'short',
      { expr: `sum by (node) (berth_debts{${ON}}) > 0`, legend: '{{node}} debts' },
      { expr: `sum by (node) (berth_quarantined_records{${ON}}) > 0`, legend: '{{node}} records' },
    ),
  ],
  Calls: [
    panel('Slowest calls, p99', 'What the kubelet waits for', 's', {
      expr: `topk(8, ${quantile(0.99, 'berth_rpc_duration_seconds', 'rpc', ON)})`,
      legend: '{{rpc}}',
    }),
    panel('Calls that failed', 'By code; NOT_FOUND is a normal answer', 'ops', {
      expr: `sum by (rpc, code) (rate(berth_rpc_duration_seconds_count{${ON}, code!~"OK|NOT_FOUND"}[$__rate_interval]))`,
      legend: '{{rpc}} {{code}}',
    }),
    panel('Stages of a pod start, p90', 'Which part of a node is slow', 's', {
      expr: quantile(
        0.9,
        'berth_stage_duration_seconds',
        'operation, stage',
        `${ON}, operation=~"RunPodSandbox|CreateContainer|StartContainer"`,
      ),
      legend: '{{operation}} {{stage}}',
    }),
    panel(
      'Operations that failed',
      'By the stage at which they stood',
      'ops',
      growth('berth_stage_failures_total', 'operation, stage'),
    ),
    panel('In flight', 'Operations that run now', 'short', sum('berth_operations_in_flight', 'node')),
  ],
  Images: [
    panel('Pulls that run', 'Now', 'short', sum('berth_image_pulls_running', 'node')),
    panel('Pulls', 'By outcome', 'ops', growth('berth_image_pulls_total', 'outcome')),
    panel('From registries', 'Bytes of layers', 'Bps', growth('berth_image_fetched_bytes_total', 'node')),
  ],
  'The daemon itself': [
    panel('Memory', 'Resident', 'bytes', sumOf(ofDaemons(`process_resident_memory_bytes{${ON}}`), 'node')),
    panel(
      'Processor',
      'Seconds a second',
      'percentunit',
      sumOf(ofDaemons(rate('process_cpu_seconds_total')), 'node'),
    ),
    panel(
      'Longest delay of the event loop',
      'Between two scrapes',
      's',
      sum('nodejs_eventloop_lag_max_seconds', 'node'),
    ),
    panel('Streams', 'Exec, attach and port-forward', 'short', sum('berth_streaming_sessions', 'kind')),
  ],
  'Node agents (where monitoring.agentListen is set)': [
    panel('Age of what the Nodes say', 'Usually below 15 s', 's', {
      expr: `max by (node) (time() - berth_agent_last_sync_timestamp_seconds{${ON}})`,
      legend: '{{node}}',
    }),
    panel(
      'Requests to the API server',
      'By verb and answer; 429 is a server that throttles',
      'ops',
      growth('berth_agent_api_requests_total', 'verb, code'),
    ),
    panel(
      'Watches begun anew',
      'Some an hour are normal',
      'ops',
      growth('berth_agent_watch_reconnects_total', 'node'),
    ),
  ],
};

const WIDTH = 24;
const HEIGHT = 8;
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The dashboard as Grafana reads it (dashboard JSON model, schema version 39). */
export function dashboard(): object {
  const panels: object[] = [];
  let y = 0;
  for (const [title, row] of Object.entries(ROWS)) {
    panels.push({ id: panels.length + 1, type: 'row', title, gridPos: { x: 0, y: y++, w: WIDTH, h: 1 } });
    const across = Math.min(row.length, 4);
    for (const [index, panel] of row.entries()) {
      const w = WIDTH / across;
      const gridPos = { x: (index % across) * w, y: y + Math.floor(index / across) * HEIGHT, w, h: HEIGHT };
      panels.push(panelObject(panel, panels.length + 1, gridPos));
    }
    y += Math.ceil(row.length / across) * HEIGHT;
  }
  const variables = [
    { name: 'datasource', label: 'Source', type: 'datasource', query: 'prometheus' },
    {
      name: 'node',
      label: 'Node',
      type: 'query',
      datasource: SOURCE,
      query: { query: 'label_values(berth_build_info, node)', refId: 'node' },
      refresh: 2,
      multi: true,
      includeAll: true,
      allValue: '.*',
      sort: 1,
    },
  ];
  return {
    uid: 'berth-nodes',
    title: 'Berth',
    description: 'Container runtimes of the cluster',
    tags: ['berth', 'kubernetes'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: variables },
    panels,
  };
}

function panelObject(
  { title, description, unit, queries, stat }: Panel,
  id: number,
  gridPos: object,
): object {
  return {
    id,
    type: stat === true ? 'stat' : 'timeseries',
    title,
    description,
    datasource: SOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: stat === true ? { textMode: 'value_and_name' } : { tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
    })),
  };
}
