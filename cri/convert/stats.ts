import type { ContainerFilter, ContainerStats } from '../../pod/pods.ts';
import type * as wire from '../proto/codec.js';

/** A filter of container stats; undefined when the caller wants all. */
export function statsFilterFromWire(filter: wire.ContainerStatsFilter | null): ContainerFilter | undefined {
  if (filter === null) return undefined;
  const { id, podSandboxId, labelSelector } = filter;
  return {
    id: id === '' ? undefined : id,
    sandboxId: podSandboxId === '' ? undefined : podSandboxId,
    labels: labelSelector,
  };
}

/** What a container uses. */
export function containerStatsToWire(stats: ContainerStats): wire.Input<wire.ContainerStats> {
  const { container, timestampNs: timestamp, memoryAvailableBytes, writableLayer } = stats;
  const { metadata, labels, annotations } = container.config;
  return {
    attributes: { id: container.id, metadata, labels, annotations },
    cpu: { timestamp, usageCoreNanoSeconds: { value: stats.cpuUsageNs } },
    memory: {
      timestamp,
      workingSetBytes: { value: stats.workingSetBytes },
      availableBytes: memoryAvailableBytes === undefined ? undefined : { value: memoryAvailableBytes },
      usageBytes: { value: stats.memoryUsageBytes },
      rssBytes: { value: stats.rssBytes },
      pageFaults: { value: stats.pageFaults },
      majorPageFaults: { value: stats.majorPageFaults },
    },
    writableLayer: {
      timestamp,
      fsId: { mountpoint: writableLayer.mountpoint },
      usedBytes: { value: writableLayer.usedBytes },
      inodesUsed: { value: writableLayer.inodesUsed },
    },
  };
}
