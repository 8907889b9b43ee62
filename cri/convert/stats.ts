import type {
  ContainerFilter,
  ContainerStats,
  ResourceUsage,
  SandboxFilter,
  SandboxStats,
} from '../../pod/pods.ts';
import type { Pressure } from '../../pod/cgroup/pressure.ts';
import type { InterfaceCounters } from '../../pod/stats/interfaces.ts';
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

/** A filter of pod stats; undefined when the caller wants all. */
export function podStatsFilterFromWire(filter: wire.PodSandboxStatsFilter | null): SandboxFilter | undefined {
  if (filter === null) return undefined;
  return { id: filter.id === '' ? undefined : filter.id, labels: filter.labelSelector };
}

/** What a container uses. */
export function containerStatsToWire(stats: ContainerStats): wire.Input<wire.ContainerStats> {
  const { container, timestampNs: timestamp, usage, writableLayer } = stats;
  const { metadata, labels, annotations } = container.config;
  return {
    attributes: { id: container.id, metadata, labels, annotations },
    ...(usage === undefined ? {} : { ...cpuAndMemory(usage, timestamp), swap: swap(usage, timestamp) }),
    writableLayer:
      writableLayer === undefined
        ? undefined
        : {
            timestamp: writableLayer.atNs,
            fsId: { mountpoint: writableLayer.mountpoint },
            usedBytes: { value: writableLayer.usedBytes },
            inodesUsed: { value: writableLayer.inodesUsed },
          },
  };
}

/** What a pod uses. */
export function podStatsToWire(stats: SandboxStats): wire.Input<wire.PodSandboxStats> {
  const { sandbox, timestampNs: timestamp, usage, network } = stats;
  const { metadata, labels, annotations } = sandbox.config;
  return {
    attributes: { id: sandbox.id, metadata, labels, annotations },
    linux: {
      ...cpuAndMemory(usage, timestamp),
      network:
        network === undefined
          ? undefined
          : {
              timestamp,
              defaultInterface: network.main === undefined ? undefined : interfaceUsage(network.main),
              interfaces: network.others.map(interfaceUsage),
            },
      process: { timestamp, processCount: { value: stats.processes } },
      containers: stats.containers.map(containerStatsToWire),
    },
  };
}

function cpuAndMemory(
  usage: ResourceUsage,
  timestamp: bigint,
): { cpu: wire.Input<wire.CpuUsage>; memory: wire.Input<wire.MemoryUsage>; io?: wire.Input<wire.IoUsage> } {
  const { memoryAvailableBytes, pressure } = usage;
  return {
    cpu: {
      timestamp,
      usageCoreNanoSeconds: { value: usage.cpuUsageNs },
      usageNanoCores: { value: usage.cpuNanoCores },
      psi: psi(pressure?.cpu),
    },
    memory: {
      timestamp,
      workingSetBytes: { value: usage.workingSetBytes },
      availableBytes: memoryAvailableBytes === undefined ? undefined : { value: memoryAvailableBytes },
      usageBytes: { value: usage.memoryUsageBytes },
      rssBytes: { value: usage.rssBytes },
      pageFaults: { value: usage.pageFaults },
      majorPageFaults: { value: usage.majorPageFaults },
      psi: psi(pressure?.memory),
    },
    ...(pressure === undefined ? {} : { io: { timestamp, psi: psi(pressure.io) } }),
  };
}

function swap(usage: ResourceUsage, timestamp: bigint): wire.Input<wire.SwapUsage> | undefined {
  if (usage.swap === undefined) return undefined;
  const { usageBytes, availableBytes } = usage.swap;
  return {
    timestamp,
    swapUsageBytes: { value: usageBytes },
    swapAvailableBytes: availableBytes === undefined ? undefined : { value: availableBytes },
  };
}

function psi(pressure: Pressure | undefined): wire.Input<wire.PsiStats> | undefined {
  if (pressure === undefined) return undefined;
  const line = ({ totalNs, avg10, avg60, avg300 }: Pressure['full']): wire.Input<wire.PsiData> => ({
    Total: totalNs,
    Avg10: avg10,
    Avg60: avg60,
    Avg300: avg300,
  });
  return { Full: line(pressure.full), Some: line(pressure.some) };
}

function interfaceUsage(link: InterfaceCounters): wire.Input<wire.NetworkInterfaceUsage> {
  return {
    name: link.name,
    rxBytes: { value: link.rxBytes },
    rxErrors: { value: link.rxErrors },
    txBytes: { value: link.txBytes },
    txErrors: { value: link.txErrors },
  };
}
