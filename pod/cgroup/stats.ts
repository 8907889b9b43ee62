import { readNumber, readTable } from './files.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

/** What a cgroup and all below it use (CRI CpuUsage, MemoryUsage). */
export interface CgroupStats {
  cpuUsageNs: bigint;
  memoryUsageBytes: bigint;
  /** Usage less the file cache that the kernel would drop first: what the kubelet evicts by. */
  workingSetBytes: bigint;
  rssBytes: bigint;
  pageFaults: bigint;
  majorPageFaults: bigint;
  /** Limit less working set; absent without a limit. */
  memoryAvailableBytes?: bigint;
  processes: bigint;
}

/** v1 shows "no limit" as the largest multiple of a page, some 2^63. No machine has 2^62 bytes. */
const NO_LIMIT = 1n << 62n;

/** Numbers of a cgroup; undefined when it is gone. A controller that is not there counts as zero. */
export function cgroupStats(
  path: string,
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): CgroupStats | undefined {
  const directory = (controller: string): string | undefined =>
    controllerDirectory(hierarchy, controller, path);
  return hierarchy.version === 2 ? statsV2(directory('')!) : statsV1(directory);
}

/** How often the kernel killed a process of this cgroup for want of memory; undefined when the cgroup is gone. */
export function oomKills(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): number | undefined {
  const directory = controllerDirectory(hierarchy, 'memory', path);
  if (directory === undefined) return undefined;
  // v1 counts the victims of this cgroup, whoever's limit was met; v2 those of the cgroups below as well.
  const file = hierarchy.version === 2 ? 'memory.events' : 'memory.oom_control';
  const count = readTable(directory, file)?.get('oom_kill');
  return count === undefined ? undefined : Number(count);
}

/** Whether the kernel ever killed a process of this cgroup for want of memory. Read it before the cgroup is removed. */
export function oomKilled(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): boolean {
  return (oomKills(path, hierarchy) ?? 0) > 0;
}

function statsV1(directory: (controller: string) => string | undefined): CgroupStats | undefined {
  const memory = directory('memory');
  const cpuacct = directory('cpuacct');
  const pids = directory('pids');
  const usage = readNumber(memory, 'memory.usage_in_bytes');
  const cpu = readNumber(cpuacct, 'cpuacct.usage');
  if (usage === undefined && cpu === undefined) return undefined;
  const table = readTable(memory, 'memory.stat') ?? new Map<string, bigint>();
  return gathered({
    cpuUsageNs: cpu ?? 0n,
    usage: usage ?? 0n,
    inactiveFile: table.get('total_inactive_file') ?? 0n,
    rss: table.get('total_rss') ?? 0n,
    faults: table.get('total_pgfault') ?? 0n,
    majorFaults: table.get('total_pgmajfault') ?? 0n,
    limit: readNumber(memory, 'memory.limit_in_bytes'),
    processes: readNumber(pids, 'pids.current') ?? 0n,
  });
}

function statsV2(directory: string): CgroupStats | undefined {
  const cpu = readTable(directory, 'cpu.stat');
  if (cpu === undefined) return undefined;
  const table = readTable(directory, 'memory.stat') ?? new Map<string, bigint>();
  return gathered({
    cpuUsageNs: (cpu.get('usage_usec') ?? 0n) * 1000n,
    usage: readNumber(directory, 'memory.current') ?? 0n,
    inactiveFile: table.get('inactive_file') ?? 0n,
    rss: table.get('anon') ?? 0n,
    faults: table.get('pgfault') ?? 0n,
    majorFaults: table.get('pgmajfault') ?? 0n,
    limit: readNumber(directory, 'memory.max'),
    processes: readNumber(directory, 'pids.current') ?? 0n,
  });
}

function gathered(raw: {
  cpuUsageNs: bigint;
  usage: bigint;
  inactiveFile: bigint;
  rss: bigint;
  faults: bigint;
  majorFaults: bigint;
  limit: bigint | undefined;
  processes: bigint;
}): CgroupStats {
  const workingSetBytes = raw.usage > raw.inactiveFile ? raw.usage - raw.inactiveFile : 0n;
  const limited = raw.limit !== undefined && raw.limit < NO_LIMIT;
  return {
    cpuUsageNs: raw.cpuUsageNs,
    memoryUsageBytes: raw.usage,
    workingSetBytes,
    rssBytes: raw.rss,
    pageFaults: raw.faults,
    majorPageFaults: raw.majorFaults,
    ...(limited
      ? { memoryAvailableBytes: raw.limit! > workingSetBytes ? raw.limit! - workingSetBytes : 0n }
      : {}),
    processes: raw.processes,
  };
}
