import { HANDLER_KEYS, SECTIONS, type Section } from '../../cri/config/schema.ts';
import type { Key } from '../../cri/config/key.ts';

/** A JSON Schema (draft 7, as Helm reads it), as far as the chart needs one. */
export interface Schema {
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  enum?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  [other: string]: unknown;
}

const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
const yes = (description: string): Schema => ({ type: 'boolean', description });
const count = (minimum: number, maximum: number, description: string): Schema => ({
  type: 'integer',
  minimum,
  maximum,
  description,
});
const table = (properties: Record<string, Schema>, description = ''): Schema => ({
  type: 'object',
  ...(description === '' ? {} : { description }),
  additionalProperties: false,
  properties,
});
const texts = (description: string): Schema => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
});
const resources = (description: string): Schema => {
  const amounts: Schema = { type: 'object', additionalProperties: { type: ['string', 'integer', 'number'] } };
  return table({ requests: amounts, limits: amounts }, description);
};

const DURATION = '^([0-9]+(ms|s|m|h))+$';
const monitor = (what: string): Schema =>
  table({
    enabled: yes(`Whether there is a ${what}; needs the operator's CRDs and monitoring.listen`),
    interval: text('How often Prometheus asks', { pattern: DURATION }),
    labels: texts('Labels by which your Prometheus picks it'),
  });

/** The schema of a key of the daemon's configuration: what its own check expects. */
function ofKey({ default: value, comment, expected }: Key<unknown>): Schema {
  const bounds = /^a whole number from (\d+) to (\d+)$/.exec(expected);
  if (bounds !== null) return count(Number(bounds[1]), Number(bounds[2]), comment);
  const words = /^one of (.*)$/.exec(expected)?.[1]?.split(', ');
  if (words !== undefined) return text(comment, { enum: words });
  if (Array.isArray(value)) return { type: 'array', description: comment, items: { type: 'string' } };
  return { type: typeof value, description: comment };
}

function ofSection(section: Section): Record<string, Schema> {
  return Object.fromEntries(Object.entries(section).map(([name, key]) => [name, ofKey(key)]));
}

/** The schema of the daemon's configuration: its own keys. */
function ofConfig(): Schema {
  const { '': top, ...sections } = SECTIONS;
  const tables = Object.entries(sections).map(([name, section]) => {
    const handlers = { type: 'object', additionalProperties: table(ofSection(HANDLER_KEYS)) };
    return [name, table({ ...ofSection(section), ...(name === 'runtime' ? { handlers } : {}) })];
  });
  return table(
    { ...ofSection(top!), ...(Object.fromEntries(tables) as Record<string, Schema>) },
    "Keys of the daemon's configuration, for its drop-in 50-chart.toml",
  );
}

/** The schema of the chart's values: every value has its place in it, and nothing else may be there. */
export function valuesSchema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart berth',
    ...table({
      global: { type: 'object', description: 'Values of a chart above this one; not used' },
      image: table({
        repository: text('The image of a release, with its registry', { minLength: 1 }),
        tag: text("Default: the chart's appVersion", { pattern: '^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$' }),
        digest: text('Wins over the tag', { pattern: '^(sha256:[0-9a-f]{64})?$' }),
        pullPolicy: text('As of any container', { enum: ['Always', 'IfNotPresent', 'Never'] }),
      }),
      imagePullSecrets: {
        type: 'array',
        description: 'Secrets for the registry of the image',
        items: { ...table({ name: text('Of a Secret') }), required: ['name'] },
      },
      nameOverride: text("Instead of the chart's name"),
      fullnameOverride: text('Instead of release and chart'),
      nodeSelector: texts('Labels of the nodes that get Berth; without one all Linux nodes do'),
      affinity: { type: 'object', description: 'The same, in the words of affinities' },
      tolerations: { type: 'array', description: 'Default: of everything', items: { type: 'object' } },
      updateStrategy: table({
        type: text('RollingUpdate: node by node; OnDelete: when you delete the pod of a node', {
          enum: ['RollingUpdate', 'OnDelete'],
        }),
        maxUnavailable: {
          type: ['integer', 'string'],
          description: 'How many nodes at once',
          minimum: 1,
          pattern: '^[1-9][0-9]?%$|^100%$',
        },
      }),
      priorityClassName: text('Of the pods of the DaemonSet'),
      podAnnotations: texts('More annotations of these pods'),
      podLabels: texts('More labels of these pods'),
      config: ofConfig(),
      cni: table({
        install: yes("Whether Berth's CNI plugins are written as programs, for other runtimes"),
        directory: text('Where to', { pattern: '^/.' }),
        replace: yes(
          'Whether programs of others with the same names are replaced; they come back at the end',
        ),
      }),
      crictl: yes('Whether /etc/crictl.yaml leads to Berth'),
      wait: table({
        seconds: count(1, 3600, 'A release that does not serve within this time is rolled back'),
        network: text('Whether the network has to be ready, too; auto: where it was, or is configured', {
          enum: ['auto', 'always', 'never'],
        }),
        holdSeconds: count(
          0,
          86_400,
          'How long a release that did not serve is not tried again on that node',
        ),
      }),
      kubelet: table({
        switch: yes('Whether the kubelets are pointed at Berth, each once its node is drained'),
        unit: text("The kubelet's systemd service", { pattern: '^[A-Za-z0-9_@.-]+\\.service$' }),
        seconds: count(1, 3600, 'How long the kubelet may take to be healthy before it is pointed back'),
      }),
      agent: table({ resources: resources('Of the agent') }),
      installer: table({ resources: resources('Of the installer') }),
      runtimeClasses: table({
        create: yes('Whether there are RuntimeClasses'),
        nodeSelector: texts('Nodes whose kubelet uses Berth: labels on top of that of the handler'),
        handlers: {
          type: 'array',
          description: 'Each with its name and the handler of the configuration',
          items: {
            ...table({
              name: text('Of the RuntimeClass', { pattern: '^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$' }),
              handler: text('Of the configuration', { pattern: '^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$' }),
            }),
            required: ['name', 'handler'],
          },
        },
      }),
      serviceAccount: table({
        create: yes('Whether the chart brings one'),
        name: text('Default: the full name of the release'),
        annotations: texts('Of the ServiceAccount'),
      }),
      rbac: table({ create: yes('Whether the chart brings the roles') }),
      monitoring: table({
        listen: text(
          'Where each node serves its metrics for the cluster, such as 0.0.0.0:9464; empty: loopback',
          {
            pattern: '^(.+:[0-9]{1,5})?$',
          },
        ),
        agentListen: text(
          "Where each node's agent serves its metrics and its health, such as 0.0.0.0:9465; empty: nowhere",
          { pattern: '^((\\[[0-9a-fA-F:]+\\]|[0-9.]+):[0-9]{1,5})?$' },
        ),
        podMonitor: monitor('PodMonitor'),
        serviceMonitor: monitor('ServiceMonitor with its Service'),
        dashboard: table({
          enabled: yes('Whether there is a ConfigMap with a dashboard for Grafana'),
          labels: texts("Labels by which Grafana's sidecar picks it"),
        }),
      }),
      uninstall: table({
        clean: yes('Whether helm uninstall cleans the nodes first'),
        force: yes('Whether pods that still run are stopped'),
        keepData: yes('Whether images, containers and records stay on the nodes'),
        seconds: count(10, 86_400, 'How long all nodes together may take'),
      }),
    }),
  };
}
