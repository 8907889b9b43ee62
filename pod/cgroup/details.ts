import { readdirSync } from 'node:fs';
import { readNumber, readTable, readText, type Table } from './files.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';
import { oomKills } from './oom.ts';
import { taskCount, type CgroupStats } from './stats.ts';

/** All that a cgroup's files tell of what it used and may use: for metrics. Times in ns, sizes in bytes. */
export interface CgroupDetails {
  stats: CgroupStats;
  cpu: { userNs: bigint; systemNs: bigint; periods: bigint; throttledPeriods: bigint; throttledNs: bigint };
  memory: {
    cache: bigint;
    kernel: bigint;
    mappedFile: bigint;
    activeFile: bigint;
    inactiveFile: bigint;
    failures: bigint;
    highest: bigint | undefined;
    /** Of this very cgroup, without those below. */
    ownFaults: bigint;
    ownMajorFaults: bigint;
    oomKills: bigint;
  };
  /** Undefined or 0: none. */
  limits: {
    cpuShares: bigint | undefined;
    cpuQuota: bigint | undefined;
    cpuPeriod: bigint | undefined;
    memory: bigint;
    memoryReservation: bigint;
    memorySwap: bigint;
    tasks: bigint;
  };
  tasks: bigint;
  io: DeviceIo[];
  hugepages: { pageSize: string; usage: bigint; highest: bigint | undefined; failures: bigint }[];
}

/** What went to and from one device. */
export interface DeviceIo {
  major: string;
  minor: string;
  reads: bigint;
  writes: bigint;
  readBytes: bigint;
  writtenBytes: bigint;
}

/** v1 shows "no limit" as a number of some 2^63. */
const NO_LIMIT = 1n << 62n;

type Place = (controller: string) => string | undefined;

/** cpu.stat and memory.stat; one that is not there has nothing. */
type Tables = Record<'cpu' | 'memory', Table>;

const NOTHING: Table = new Map();

/**
 * Reads what the statistics of a cgroup do not have yet; undefined when it is gone. Some seventeen small files: a fifth
 * of a millisecond.
 */
export function cgroupDetails(
  path: string,
  stats: CgroupStats,
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): CgroupDetails | undefined {
  const place: Place = (controller) => controllerDirectory(hierarchy, controller, path);
  const cpu = readTable(place('cpu'), 'cpu.stat');
  const memory = readTable(place('memory'), 'memory.stat');
  if (cpu === undefined && memory === undefined) return undefined;
  const tables: Tables = { cpu: cpu ?? NOTHING, memory: memory ?? NOTHING };
  const kills = BigInt(oomKills(path, hierarchy) ?? 0);
  const tasks = taskCount(path, hierarchy) ?? 0n;
  return hierarchy.version === 2
    ? { stats, tasks, ...detailsV2(place(''), tables, kills) }
    : { stats, tasks, ...detailsV1(place, tables, kills) };
}

function detailsV1(
  place: Place,
  { cpu, memory: table }: Tables,
  kills: bigint,
): Omit<CgroupDetails, 'stats' | 'tasks'> {
  const at = (controller: string, file: string): bigint | undefined => readNumber(place(controller), file);
  return {
    cpu: {
      userNs: at('cpuacct', 'cpuacct.usage_user') ?? 0n,
      systemNs: at('cpuacct', 'cpuacct.usage_sys') ?? 0n,
      periods: cpu.get('nr_periods') ?? 0n,
      throttledPeriods: cpu.get('nr_throttled') ?? 0n,
      throttledNs: cpu.get('throttled_time') ?? 0n,
    },
    memory: {
      cache: table.get('total_cache') ?? 0n,
      kernel: at('memory', 'memory.kmem.usage_in_bytes') ?? 0n,
      mappedFile: table.get('total_mapped_file') ?? 0n,
      activeFile: table.get('total_active_file') ?? 0n,
      inactiveFile: table.get('total_inactive_file') ?? 0n,
      failures: at('memory', 'memory.failcnt') ?? 0n,
      highest: at('memory', 'memory.max_usage_in_bytes'),
      ownFaults: table.get('pgfault') ?? 0n,
      ownMajorFaults: table.get('pgmajfault') ?? 0n,
      oomKills: kills,
    },
    limits: {
      cpuShares: at('cpu', 'cpu.shares'),
      // "-1" is no number here: no quota.
      cpuQuota: at('cpu', 'cpu.cfs_quota_us'),
      cpuPeriod: at('cpu', 'cpu.cfs_period_us'),
      memory: limit(at('memory', 'memory.limit_in_bytes')),
      memoryReservation: limit(at('memory', 'memory.soft_limit_in_bytes')),
      memorySwap: limit(at('memory', 'memory.memsw.limit_in_bytes')),
      tasks: at('pids', 'pids.max') ?? 0n,
    },
    io: ioV1(place('blkio')),
    hugepages: pageSizes().flatMap((pageSize) => {
      const usage = at('hugetlb', `hugetlb.${pageSize}.usage_in_bytes`);
      if (usage === undefined) return [];
      const highest = at('hugetlb', `hugetlb.${pageSize}.max_usage_in_bytes`);
      return [{ pageSize, usage, highest, failures: at('hugetlb', `hugetlb.${pageSize}.failcnt`) ?? 0n }];
    }),
  };
}

function detailsV2(
  directory: string | undefined,
  { cpu, memory: table }: Tables,
  kills: bigint,
): Omit<CgroupDetails, 'stats' | 'tasks'> {
  const ns = (name: string): bigint => (cpu.get(name) ?? 0n) * 1000n;
  const [quota, period] = readText(directory, 'cpu.max')?.trim().split(' ') ?? [];
  const weight = readNumber(directory, 'cpu.weight');
  const memory = limit(readNumber(directory, 'memory.max'));
  const swap = limit(readNumber(directory, 'memory.swap.max'));
  const faults = table.get('pgfault') ?? 0n;
  const majorFaults = table.get('pgmajfault') ?? 0n;
  return {
    cpu: {
      userNs: ns('user_usec'),
      systemNs: ns('system_usec'),
      periods: cpu.get('nr_periods') ?? 0n,
      throttledPeriods: cpu.get('nr_throttled') ?? 0n,
      throttledNs: ns('throttled_usec'),
    },
    memory: {
      cache: table.get('file') ?? 0n,
      kernel: table.get('kernel') ?? 0n,
      mappedFile: table.get('file_mapped') ?? 0n,
      activeFile: table.get('active_file') ?? 0n,
      inactiveFile: table.get('inactive_file') ?? 0n,
      failures: readTable(directory, 'memory.events')?.get('max') ?? 0n,
      highest: readNumber(directory, 'memory.peak'),
      ownFaults: faults,
      ownMajorFaults: majorFaults,
      oomKills: kills,
    },
    limits: {
      // The way back of `weightOfShares`.
      cpuShares: weight === undefined ? undefined : 2n + ((weight - 1n) * 262_142n) / 9999n,
      cpuQuota: quota === undefined || quota === 'max' ? undefined : BigInt(quota),
      cpuPeriod: period === undefined ? undefined : BigInt(period),
      memory,
      memoryReservation: readNumber(directory, 'memory.low') ?? 0n,
      memorySwap: memory > 0n && swap > 0n ? memory + swap : 0n,
      tasks: readNumber(directory, 'pids.max') ?? 0n,
    },
    io: ioV2(directory),
    hugepages: pageSizes().flatMap((pageSize) => {
      const usage = readNumber(directory, `hugetlb.${pageSize}.current`);
      const events = readTable(directory, `hugetlb.${pageSize}.events`);
      return usage === undefined
        ? []
        : [{ pageSize, usage, highest: undefined, failures: events?.get('max') ?? 0n }];
    }),
  };
}

function limit(bytes: bigint | undefined): bigint {
  return bytes === undefined || bytes >= NO_LIMIT ? 0n : bytes;
}

/** Lines of `8:0 Read 4096` in two files, one with bytes, one with counts. */
function ioV1(directory: string | undefined): DeviceIo[] {
  const devices = new Map<string, DeviceIo>();
  const take = (file: string, read: 'reads' | 'readBytes', write: 'writes' | 'writtenBytes'): void => {
    const lines = readText(directory, file)?.matchAll(/^(\d+):(\d+) (Read|Write) (\d+)$/gm) ?? [];
    for (const [, major, minor, kind, value] of lines)
      deviceOf(devices, major!, minor!)[kind === 'Read' ? read : write] = BigInt(value!);
  };
  take('blkio.throttle.io_service_bytes_recursive', 'readBytes', 'writtenBytes');
  take('blkio.throttle.io_serviced_recursive', 'reads', 'writes');
  return [...devices.values()];
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`. */
function ioV2(directory: string | undefined): DeviceIo[] {
  const devices = new Map<string, DeviceIo>();
  const lines =
    readText(directory, 'io.stat')?.matchAll(
      /^(\d+):(\d+) rbytes=(\d+) wbytes=(\d+) rios=(\d+) wios=(\d+)/gm,
    ) ?? [];
  for (const [, major, minor, readBytes, writtenBytes, reads, writes] of lines) {
    const device = deviceOf(devices, major!, minor!);
    device.readBytes = BigInt(readBytes!);
    device.writtenBytes = BigInt(writtenBytes!);
    device.reads = BigInt(reads!);
    device.writes = BigInt(writes!);
  }
  return [...devices.values()];
}

function deviceOf(devices: Map<string, DeviceIo>, major: string, minor: string): DeviceIo {
  const key = `${major}:${minor}`;
  const found = devices.get(key) ?? { major, minor, reads: 0n, writes: 0n, readBytes: 0n, writtenBytes: 0n };
  devices.set(key, found);
  return found;
}

let sizes: string[] | undefined;

/** Sizes of huge pages that this kernel has, as cgroup files spell them: `2MB`, `1GB`. */
function pageSizes(): string[] {
  try {
    sizes ??= readdirSync('/sys/kernel/mm/hugepages').map((name) =>
      pageSizeName(Number(/\d+/.exec(name)?.[0] ?? 0)),
    );
  } catch {
    sizes = []; // a kernel without huge pages has no such directory
  }
  return sizes;
}

/** hugetlb_cgroup.c, `mem_fmt`: the largest unit that fits. */
export function pageSizeName(kib: number): string {
  if (kib >= 2 ** 20) return `${kib / 2 ** 20}GB`;
  return kib >= 1024 ? `${kib / 1024}MB` : `${kib}KB`;
}
