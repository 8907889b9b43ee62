import type { Container } from './container.ts';
import { cgroupStats } from './cgroup/stats.ts';
import { containerView, listContainers } from './container-view.ts';
import type { Parts } from './parts.ts';
import type { ContainerFilter, ContainerStats } from './pods.ts';

/** ContainerStats: what a container uses just now, read from its cgroup and its writable layer. */
export async function containerStats(parts: Parts, container: Container): Promise<ContainerStats> {
  const usage = await parts.images.snapshots.usage(container.id);
  const stats = container.alive ? cgroupStats(container.record.cgroupPath) : undefined;
  return {
    container: containerView(parts, container),
    timestampNs: parts.clock.nowNs(),
    cpuUsageNs: stats?.cpuUsageNs ?? 0n,
    memoryUsageBytes: stats?.memoryUsageBytes ?? 0n,
    workingSetBytes: stats?.workingSetBytes ?? 0n,
    rssBytes: stats?.rssBytes ?? 0n,
    pageFaults: stats?.pageFaults ?? 0n,
    majorPageFaults: stats?.majorPageFaults ?? 0n,
    memoryAvailableBytes: stats?.memoryAvailableBytes,
    writableLayer: usage,
  };
}

/** ListContainerStats: the same of all that run and fit the filter. One that fails is left out, not the whole answer. */
export async function listContainerStats(parts: Parts, filter: ContainerFilter): Promise<ContainerStats[]> {
  const running = listContainers(parts, { ...filter, state: 'running' });
  const results = await Promise.allSettled(
    running.map((view) => containerStats(parts, parts.containers.find(view.id))),
  );
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
