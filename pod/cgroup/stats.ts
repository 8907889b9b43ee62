import { join } from 'node:path';
import { readNumber, readTable } from './files.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';
import { pressure, type Pressure } from './pressure.ts';

/** What a cgroup and all below it use (CRI CpuUsage, MemoryUsage, SwapUsage, IoUsage). */
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
  /** Absent where the kernel does not account swap; without a limit nothing says how much is left. */
  swap?: { usageBytes: bigint; availableBytes?: bigint };
  /** Absent where the kernel does not keep it. */
  pressure?: { cpu: Pressure; memory: Pressure; io: Pressure };
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
  if (hierarchy.version === 2) return statsV2(directory('')!);
  // runc puts its containers into the v2 tree of a hybrid node as well, and there is their pressure.
  return statsV1(directory, hierarchy.hybrid === undefined ? undefined : join(hierarchy.hybrid, path));
}

/** Tasks (processes and their threads) of a cgroup and of those below it; undefined when it is gone. */
export function taskCount(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): bigint | undefined {
  return readNumber(controllerDirectory(hierarchy, 'pids', path), 'pids.current');
}

function statsV1(
  directory: (controller: string) => string | undefined,
  hybrid: string | undefined,
): CgroupStats | undefined {
  const memory = directory('memory');
  const usage = readNumber(memory, 'memory.usage_in_bytes');
  const cpu = readNumber(directory('cpuacct'), 'cpuacct.usage');
  if (usage === undefined && cpu === undefined) return undefined;
  const table = readTable(memory, 'memory.stat') ?? new Map<string, bigint>();
  const limit = readNumber(memory, 'memory.limit_in_bytes');
  const both = readNumber(memory, 'memory.memsw.limit_in_bytes');
  return gathered({
    cpuUsageNs: cpu ?? 0n,
    usage: usage ?? 0n,
    inactiveFile: table.get('total_inactive_file') ?? 0n,
    rss: table.get('total_rss') ?? 0n,
    faults: table.get('total_pgfault') ?? 0n,
    majorFaults: table.get('total_pgmajfault') ?? 0n,
    limit,
    swap: both === undefined ? undefined : (table.get('total_swap') ?? 0n),
    swapLimit: both === undefined || both >= NO_LIMIT ? undefined : both - (limit ?? 0n),
    pressureIn: hybrid,
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
    swap: readNumber(directory, 'memory.swap.current'),
    swapLimit: readNumber(directory, 'memory.swap.max'),
    pressureIn: directory,
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
  swap: bigint | undefined;
  swapLimit: bigint | undefined;
  pressureIn: string | undefined;
}): CgroupStats {
  const workingSetBytes = less(raw.usage, raw.inactiveFile);
  const limited = raw.limit !== undefined && raw.limit < NO_LIMIT;
  const pressures = pressuresIn(raw.pressureIn);
  return {
    cpuUsageNs: raw.cpuUsageNs,
    memoryUsageBytes: raw.usage,
    workingSetBytes,
    rssBytes: raw.rss,
    pageFaults: raw.faults,
    majorPageFaults: raw.majorFaults,
    ...(limited ? { memoryAvailableBytes: less(raw.limit!, workingSetBytes) } : {}),
    ...(raw.swap === undefined ? {} : { swap: swapOf(raw.swap, raw.swapLimit) }),
    ...(pressures === undefined ? {} : { pressure: pressures }),
  };
}

function swapOf(usageBytes: bigint, limit: bigint | undefined): NonNullable<CgroupStats['swap']> {
  return limit === undefined ? { usageBytes } : { usageBytes, availableBytes: less(limit, usageBytes) };
}

function pressuresIn(directory: string | undefined): CgroupStats['pressure'] {
  const cpu = pressure(directory, 'cpu');
  if (cpu === undefined) return undefined;
  const memory = pressure(directory, 'memory');
  const io = pressure(directory, 'io');
  return memory === undefined || io === undefined ? undefined : { cpu, memory, io };
}

/** Two numbers that were not read at the same moment never make a negative one. */
function less(a: bigint, b: bigint): bigint {
  return a > b ? a - b : 0n;
}
