import { Turn } from '../../ground/turn.ts';
import { cgroupDetails } from '../cgroup/details.ts';
import { processesBelow } from '../cgroup/processes.ts';
import type { Parts } from '../parts.ts';
import type { ContainerStats, PodMetrics, ResourceUsage, SandboxStats } from '../pods.ts';
import { listSandboxStats } from '../stats/sandbox-stats.ts';
import { CGROUP_ROWS, type CgroupFacts } from './cgroup-rows.ts';
import { CONTAINER_ROWS } from './container-rows.ts';
import { deviceName, filesystemFacts, type FilesystemFacts } from './filesystem.ts';
import { descriptorsOf, samplesOf, type MetricDescriptor, type Sample } from './metric.ts';
import { NETWORK_ROWS } from './network-rows.ts';
import { processFacts } from './processes.ts';

/** ListMetricDescriptors: every metric that `podMetrics` can have, each once. */
export function metricDescriptors(): MetricDescriptor[] {
  return [...descriptorsOf(CGROUP_ROWS), ...descriptorsOf(CONTAINER_ROWS), ...descriptorsOf(NETWORK_ROWS)];
}

/**
 * ListPodSandboxMetrics: metrics of all ready pods and their running containers, pod by pod. A container whose metrics cannot be
 * read is left out; its pod and its neighbours are not (containerd#13896).
 */
export async function* podMetrics(parts: Parts): AsyncGenerator<PodMetrics> {
  const stats = await listSandboxStats(parts, { labels: {} });
  const layer = stats.flatMap(({ containers }) => containers).find((one) => one.writableLayer !== undefined);
  const filesystem = layer === undefined ? undefined : await filesystemFacts(layer.writableLayer!.mountpoint);
  const turn = new Turn();
  for (const pod of stats) {
    const containers: PodMetrics['containers'] = [];
    for (const container of pod.containers) {
      await turn.rest();
      const samples = kept(parts, container.container.id, () =>
        containerSamples(parts, pod, container, filesystem),
      );
      if (samples.length > 0) containers.push({ id: container.container.id, samples });
    }
    yield {
      sandboxId: pod.sandbox.id,
      samples: kept(parts, pod.sandbox.id, () => podSamples(pod)),
      containers,
    };
  }
}

function kept(parts: Parts, id: string, read: () => Sample[]): Sample[] {
  try {
    return read();
  } catch (error) {
    parts.log.warn({ id, error }, 'metrics could not be read');
    return [];
  }
}

function podSamples({ sandbox, cgroupPath, usage, network, timestampNs }: SandboxStats): Sample[] {
  const { name, namespace } = sandbox.config.metadata;
  const base = [name, namespace, '', cgroupPath ?? '', ''];
  const links = [network?.main ?? [], network?.others ?? []].flat();
  return [
    ...samplesOf(NETWORK_ROWS, links, base, timestampNs),
    ...cgroupSamples(cgroupPath, usage, base, timestampNs),
  ];
}

function containerSamples(
  parts: Parts,
  { sandbox }: SandboxStats,
  { container, cgroupPath, usage, writableLayer: layer }: ContainerStats,
  filesystem: FilesystemFacts | undefined,
): Sample[] {
  const nowNs = parts.clock.nowNs();
  const { name, namespace } = sandbox.config.metadata;
  const { metadata, image } = container.config;
  const base = [name, namespace, metadata.name, cgroupPath, image.userSpecifiedImage || image.image];
  const ofCgroup = cgroupSamples(cgroupPath, usage, base, nowNs);
  if (ofCgroup.length === 0) return [];
  const first = parts.containers.lookup(container.id)?.record.monitored?.init.pid;
  const processes = processFacts(processesBelow(cgroupPath), first);
  const { startedAtNs } = container;
  const facts = { nowNs, startedAtNs, processes, layer, filesystem };
  return [...ofCgroup, ...samplesOf(CONTAINER_ROWS, facts, base, nowNs)];
}

function cgroupSamples(
  path: string | undefined,
  usage: ResourceUsage | undefined,
  base: readonly string[],
  atNs: bigint,
): Sample[] {
  const details = path === undefined || usage === undefined ? undefined : cgroupDetails(path, usage);
  if (details === undefined) return [];
  return samplesOf<CgroupFacts>(CGROUP_ROWS, { details, deviceName }, base, atNs);
}
