import { Fault, messageOf } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import type { Cluster } from './cluster.ts';

/*
 * `helm uninstall` removes the DaemonSet, and nobody would be left on the nodes to clean up. So a hook before it turns
 * the DaemonSet around: the same pods on the same nodes, with an init container that uninstalls instead of installing.
 * When all of them are ready, every node is clean; those that are not are named, and the DaemonSet stays.
 */

/** The parts of a container (core/v1) that count here; the others are handed on. */
interface Container {
  name: string;
  args?: string[];
  volumeMounts?: { name: string }[];
  [other: string]: unknown;
}
/** A PodTemplateSpec. */
export interface Template {
  spec: {
    initContainers?: Container[];
    containers: Container[];
    volumes?: { name: string }[];
    [other: string]: unknown;
  };
  [other: string]: unknown;
}
interface DaemonSet {
  metadata: { generation?: number };
  spec: { template: Template; selector: { matchLabels?: Record<string, string> } };
  status?: {
    desiredNumberScheduled?: number;
    observedGeneration?: number;
    updatedNumberScheduled?: number;
    numberReady?: number;
    numberUnavailable?: number;
  };
}
interface Ending {
  exitCode: number;
  reason?: string;
  message?: string;
}
/** A pod of the DaemonSet. */
export interface NodePod {
  spec: { nodeName?: string; initContainers?: { name: string }[] };
  status?: {
    phase?: string;
    containerStatuses?: { ready: boolean }[];
    initContainerStatuses?: { state?: { terminated?: Ending }; lastState?: { terminated?: Ending } }[];
  };
}

const PAUSE_MS = 2000;
const UNINSTALLER = 'uninstall';
/** The chart's volume of the daemon's socket. */
const RUN = 'run-berth';

/** The pods that clean up, made of those that installed. Keeps what decides on which nodes they run. */
export function withdrawing(
  template: Template,
  { force, keepData }: Pick<WithdrawOptions, 'force' | 'keepData'>,
): Template {
  const { spec } = template;
  const [installer] = spec.initContainers ?? [];
  const [agent] = spec.containers;
  if (installer === undefined || agent === undefined)
    throw new Fault('invalid', 'The DaemonSet is not the one of the chart: it has no installer');
  const uninstaller: Container = {
    ...installer,
    name: UNINSTALLER,
    args: [
      'node',
      'uninstall',
      ...argumentsOf(installer, ['--host', '--node-name']),
      ...(force ? ['--force'] : []),
      ...(keepData ? ['--keep-data'] : []),
    ],
  };
  const leave: Container = { ...quiet(agent), name: 'leave', args: ['agent', '--leave'] };
  const done: Container = { ...quiet(agent), args: ['node', 'withdrawn'] };
  const volumes = (spec.volumes ?? []).filter(({ name }) => name !== RUN);
  return {
    ...template,
    spec: { ...spec, initContainers: [uninstaller, leave], containers: [done], volumes },
  };
}

/** Without what looks at a daemon that is gone, and without mounts that would make its directories again. */
function quiet(container: Container): Container {
  const absent = {
    readinessProbe: undefined,
    livenessProbe: undefined,
    startupProbe: undefined,
    ports: undefined,
  };
  const volumeMounts = (container.volumeMounts ?? []).filter(({ name }) => name !== RUN);
  return { ...container, ...absent, volumeMounts };
}

function argumentsOf({ args = [] }: Container, names: string[]): string[] {
  return args.flatMap((arg, index) => (names.includes(arg) ? [arg, args[index + 1]!] : []));
}

export interface WithdrawOptions {
  namespace: string;
  daemonSet: string;
  timeoutMs: number;
  /** Stops pods that run. */
  force: boolean;
  /** Leaves images, containers and records. */
  keepData: boolean;
  say: (line: string) => void;
}

/**
 * Cleans all nodes of a DaemonSet. Rejects with Fault `deadline` that names every node that is not clean in time, with
 * the reason of each; a later call goes on with those.
 */
export async function withdraw(cluster: Cluster, options: WithdrawOptions): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${options.namespace}/daemonsets/${options.daemonSet}`;
  await turnAround(cluster, path, options);
  const begun = performance.now();
  for (let said = ''; ;) {
    const { left, total } = await progress(cluster, path, options).catch((error: unknown) => ({
      left: [messageOf(error)],
      total: undefined,
    }));
    if (left.length === 0) return options.say(`Berth is gone from all ${total} nodes`);
    const text = left.join('\n  ');
    if (text !== said) options.say(`not clean yet:\n  ${text}`);
    said = text;
    if (performance.now() - begun >= options.timeoutMs)
      throw new Fault('deadline', `Berth stays on nodes:\n  ${text}`, {
        hint: 'do what each of them asks for, then helm uninstall again; or leave them as they are: helm uninstall --no-hooks',
      });
    await sleep(PAUSE_MS);
  }
}

async function turnAround(cluster: Cluster, path: string, options: WithdrawOptions): Promise<void> {
  const { spec } = (await cluster.request('GET', path)) as DaemonSet;
  if (spec.template.spec.initContainers?.[0]?.name === UNINSTALLER) return;
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%', maxSurge: 0 } };
  const patch = [
    { op: 'replace', path: '/spec/template', value: withdrawing(spec.template, options) },
    { op: 'replace', path: '/spec/updateStrategy', value: updateStrategy },
  ];
  await cluster.request('PATCH', path, { body: patch, contentType: 'application/json-patch+json' });
}

async function progress(
  cluster: Cluster,
  path: string,
  { namespace, daemonSet }: WithdrawOptions,
): Promise<{ left: string[]; total: number }> {
  const { metadata, spec, status } = (await cluster.request('GET', path)) as DaemonSet;
  const total = status?.desiredNumberScheduled ?? 0;
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const done = Math.min(status?.updatedNumberScheduled ?? 0, status?.numberReady ?? 0);
  if (isSeen && done >= total && (status?.numberUnavailable ?? 0) === 0) return { left: [], total };
  const labels = Object.entries(spec.selector.matchLabels ?? {});
  const query = { labelSelector: labels.map(([key, value]) => `${key}=${value}`).join(',') };
  const { items } = (await cluster.request('GET', `/api/v1/namespaces/${namespace}/pods`, { query })) as {
    items: NodePod[];
  };
  const left = items
    .map((pod) => [pod.spec.nodeName ?? 'no node', whyNotClean(pod)])
    .filter(([, why]) => why !== '');
  return {
    left:
      left.length > 0
        ? left.map((parts) => parts.join(': ')).sort()
        : [`${daemonSet}: ${done} of ${total} nodes`],
    total,
  };
}

/** Why the node of a pod is not clean; empty when it is. */
export function whyNotClean({ spec, status }: NodePod): string {
  if (spec.initContainers?.[0]?.name !== UNINSTALLER) return 'the pod that installed is still there';
  if ((status?.containerStatuses ?? []).some(({ ready }) => ready)) return '';
  const states = (status?.initContainerStatuses ?? []).flatMap(({ state, lastState }) => [
    state?.terminated,
    lastState?.terminated,
  ]);
  const failed = states.find((one) => one !== undefined && one.exitCode !== 0);
  return failed?.message?.trim() || failed?.reason || `the pod is ${status?.phase ?? 'unknown'}`;
}
