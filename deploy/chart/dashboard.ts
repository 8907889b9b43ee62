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
const sum = (metric: string, by: string): Query => ({
  expr: `sum by (${by}) (${metric}{${ON}})`,
  legend: `{{${by}}}`,
});
const growth = (metric: string, by: string): Query => ({
  expr: `sum by (${by}) (rate(${metric}{${ON}}[$__rate_interval]))`,
  legend: by
    .split(', ')
    .map((label) => `{{${label}}}`)
    .join(' '),
});

const ROWS: Record<string, Panel[]> = {
  Nodes: [
    {
      title: 'Daemons',
      description: 'How many nodes run which version',
      unit: 'short',
      stat: true,
      queries: [{ expr: `count by (version) (berth_build_info{${ON}})`, legend: '{{version}}' }],
    },
    {
      title: 'Pods',
      description: 'Sandboxes by state',
      unit: 'short',
      queries: [sum('berth_sandboxes', 'state')],
    },
    {
      title: 'Containers',
      description: 'By state',
      unit: 'short',
      queries: [sum('berth_containers', 'state')],
    },
    {
      title: 'Debts and quarantine',
      description:
        'Undo steps that are tried again, and records that could not be read: berth status says more',
      unit: 'short',
      queries: [
        { expr: `sum by (node) (berth_debts{${ON}}) > 0`, legend: '{{node}} debts' },
        { expr: `sum by (node) (berth_quarantined_records{${ON}}) > 0`, legend: '{{node}} records' },
      ],
    },
  ],
  Calls: [
    {
      title: 'Slowest calls, p99',
      description: 'What the kubelet waits for',
      unit: 's',
      queries: [
        { expr: `topk(8, ${quantile(0.99, 'berth_rpc_duration_seconds', 'rpc', ON)})`, legend: '{{rpc}}' },
      ],
    },
    {
      title: 'Calls that failed',
      description: 'By code; NOT_FOUND is a normal answer',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (rpc, code) (rate(berth_rpc_duration_seconds_count{${ON}, code!~"OK|NOT_FOUND"}[$__rate_interval]))`,
          legend: '{{rpc}} {{code}}',
        },
      ],
    },
    {
      title: 'Stages of a pod start, p90',
      description: 'Which part of a node is slow',
      unit: 's',
      queries: [
        {
          expr: quantile(
            0.9,
            'berth_stage_duration_seconds',
            'operation, stage',
            `${ON}, operation=~"RunPodSandbox|CreateContainer|StartContainer"`,
          ),
          legend: '{{operation}} {{stage}}',
        },
      ],
    },
    {
      title: 'Operations that failed',
      description: 'By the stage at which they stood',
      unit: 'ops',
      queries: [growth('berth_stage_failures_total', 'operation, stage')],
    },
    {
      title: 'In flight',
      description: 'Operations that run now',
      unit: 'short',
      queries: [sum('berth_operations_in_flight', 'node')],
    },
  ],
  Images: [
    {
      title: 'Pulls that run',
      description: 'Now',
      unit: 'short',
      queries: [sum('berth_image_pulls_running', 'node')],
    },
    {
      title: 'Pulls',
      description: 'By outcome',
      unit: 'ops',
      queries: [growth('berth_image_pulls_total', 'outcome')],
    },
    {
      title: 'From registries',
      description: 'Bytes of layers',
      unit: 'Bps',
      queries: [growth('berth_image_fetched_bytes_total', 'node')],
    },
  ],
  'The daemon itself': [
    {
      title: 'Memory',
      description: 'Resident',
      unit: 'bytes',
      queries: [sum('process_resident_memory_bytes', 'node')],
    },
    {
      title: 'Processor',
      description: 'Seconds a second',
      unit: 'percentunit',
      queries: [growth('process_cpu_seconds_total', 'node')],
    },
    {
      title: 'Longest delay of the event loop',
      description: 'Between two scrapes',
      unit: 's',
      queries: [sum('nodejs_eventloop_lag_max_seconds', 'node')],
    },
    {
      title: 'Streams',
      description: 'Exec, attach and port-forward',
      unit: 'short',
      queries: [sum('berth_streaming_sessions', 'kind')],
    },
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
