import type { CgroupDetails, DeviceIo } from '../cgroup/details.ts';
import { counter, gauge, seconds, type MetricRow, type Value } from './metric.ts';

/** What is read of any cgroup, a container's or a pod's. */
export interface CgroupFacts {
  details: CgroupDetails;
  /** A device's path by its numbers, `/dev/sda`, or the numbers. */
  deviceName(major: string, minor: string): string;
}

type Row = MetricRow<CgroupFacts>;

const CPU: Row[] = [
  counter(
    'container_cpu_usage_seconds_total',
    'CPU time used, in seconds.',
    ({ details }) => ({ labels: ['total'], value: seconds(details.stats.cpuUsageNs) }),
    ['cpu'],
  ),
  counter('container_cpu_user_seconds_total', 'CPU time used in user mode, in seconds.', ({ details }) =>
    seconds(details.cpu.userNs),
  ),
  counter('container_cpu_system_seconds_total', 'CPU time used in the kernel, in seconds.', ({ details }) =>
    seconds(details.cpu.systemNs),
  ),
  counter(
    'container_cpu_cfs_periods_total',
    'Periods of CPU time that have passed.',
    ({ details }) => details.cpu.periods,
  ),
  counter(
    'container_cpu_cfs_throttled_periods_total',
    'Periods in which the quota was used up.',
    ({ details }) => details.cpu.throttledPeriods,
  ),
  counter(
    'container_cpu_cfs_throttled_seconds_total',
    'Time spent waiting because the quota was used up, in seconds.',
    ({ details }) => seconds(details.cpu.throttledNs),
  ),
];

const MEMORY: Row[] = [
  gauge(
    'container_memory_usage_bytes',
    'Memory in use with file pages, in bytes.',
    ({ details }) => details.stats.memoryUsageBytes,
  ),
  gauge(
    'container_memory_working_set_bytes',
    'Memory in use less inactive file pages, in bytes.',
    ({ details }) => details.stats.workingSetBytes,
  ),
  gauge('container_memory_rss', 'Anonymous memory, in bytes.', ({ details }) => details.stats.rssBytes),
  gauge('container_memory_cache', 'File pages, in bytes.', ({ details }) => details.memory.cache),
  gauge(
    'container_memory_swap',
    'Swap in use, in bytes.',
    ({ details }) => details.stats.swap?.usageBytes ?? 0n,
  ),
  gauge(
    'container_memory_kernel_usage',
    'Memory that the kernel uses for it, in bytes.',
    ({ details }) => details.memory.kernel,
  ),
  gauge(
    'container_memory_mapped_file',
    'Mapped file pages, in bytes.',
    ({ details }) => details.memory.mappedFile,
  ),
  gauge(
    'container_memory_total_active_file_bytes',
    'Active file pages, in bytes.',
    ({ details }) => details.memory.activeFile,
  ),
  gauge(
    'container_memory_total_inactive_file_bytes',
    'Inactive file pages, in bytes.',
    ({ details }) => details.memory.inactiveFile,
  ),
  gauge(
    'container_memory_max_usage_bytes',
    'The most memory that was in use, in bytes.',
    ({ details }) => details.memory.highest,
  ),
  counter(
    'container_memory_failcnt',
    'How often the memory limit was met.',
    ({ details }) => details.memory.failures,
  ),
  counter(
    'container_memory_failures_total',
    'Page faults.',
    ({ details: { memory, stats } }) => [
      { labels: ['pgfault', 'container'], value: memory.ownFaults },
      { labels: ['pgfault', 'hierarchy'], value: stats.pageFaults },
      { labels: ['pgmajfault', 'container'], value: memory.ownMajorFaults },
      { labels: ['pgmajfault', 'hierarchy'], value: stats.majorPageFaults },
    ],
    ['failure_type', 'scope'],
  ),
  counter(
    'container_oom_events_total',
    'Processes that were killed for want of memory.',
    ({ details }) => details.memory.oomKills,
  ),
];

const HUGEPAGES: Row[] = [
  gauge(
    'container_hugetlb_usage_bytes',
    'Huge pages in use, in bytes.',
    ({ details }) => details.hugepages.map(({ pageSize, usage }) => ({ labels: [pageSize], value: usage })),
    ['pagesize'],
  ),
  gauge(
    'container_hugetlb_max_usage_bytes',
    'The most huge pages that were in use, in bytes.',
    ({ details }) =>
      details.hugepages.flatMap(({ pageSize, highest }) =>
        highest === undefined ? [] : { labels: [pageSize], value: highest },
      ),
    ['pagesize'],
  ),
  counter(
    'container_hugetlb_failcnt',
    'How often the limit of huge pages was met.',
    ({ details }) =>
      details.hugepages.map(({ pageSize, failures }) => ({ labels: [pageSize], value: failures })),
    ['pagesize'],
  ),
];

function perDevice(pick: (device: DeviceIo) => bigint): Row['read'] {
  return ({ details, deviceName }) =>
    details.io.map((device): Value => ({
      labels: [deviceName(device.major, device.minor)],
      value: pick(device),
    }));
}

const IO: Row[] = [
  counter(
    'container_fs_reads_bytes_total',
    'Bytes read from devices.',
    perDevice((one) => one.readBytes),
    ['device'],
  ),
  counter(
    'container_fs_reads_total',
    'Reads from devices.',
    perDevice((one) => one.reads),
    ['device'],
  ),
  counter(
    'container_fs_writes_bytes_total',
    'Bytes written to devices.',
    perDevice((one) => one.writtenBytes),
    ['device'],
  ),
  counter(
    'container_fs_writes_total',
    'Writes to devices.',
    perDevice((one) => one.writes),
    ['device'],
  ),
  counter(
    'container_blkio_device_usage_total',
    'Bytes moved to and from devices.',
    ({ details, deviceName }) =>
      details.io.flatMap(({ major, minor, readBytes, writtenBytes }) => [
        { labels: [deviceName(major, minor), major, minor, 'Read'], value: readBytes },
        { labels: [deviceName(major, minor), major, minor, 'Write'], value: writtenBytes },
      ]),
    ['device', 'major', 'minor', 'operation'],
  ),
];

const TASKS: Row[] = [
  gauge('container_threads', 'Threads that run.', ({ details }) => details.tasks),
  gauge('container_threads_max', 'Threads that may run; 0: no limit.', ({ details }) => details.limits.tasks),
];

const PRESSURE: Row[] = (['cpu', 'memory', 'io'] as const).flatMap((resource) => [
  counter<CgroupFacts>(
    `container_pressure_${resource}_waiting_seconds_total`,
    `Time in which some tasks waited for ${resource}, in seconds.`,
    ({ details }) => {
      const line = details.stats.pressure?.[resource].some;
      return line === undefined ? undefined : seconds(line.totalNs);
    },
  ),
  counter<CgroupFacts>(
    `container_pressure_${resource}_stalled_seconds_total`,
    `Time in which all tasks waited for ${resource}, in seconds.`,
    ({ details }) => {
      const line = details.stats.pressure?.[resource].full;
      return line === undefined ? undefined : seconds(line.totalNs);
    },
  ),
]);

const SPECIFICATION: Row[] = [
  gauge(
    'container_spec_cpu_period',
    'CPU period, in microseconds.',
    ({ details }) => details.limits.cpuPeriod,
  ),
  gauge(
    'container_spec_cpu_quota',
    'CPU quota, in microseconds a period.',
    ({ details }) => details.limits.cpuQuota,
  ),
  gauge('container_spec_cpu_shares', 'CPU shares.', ({ details }) => details.limits.cpuShares),
  gauge(
    'container_spec_memory_limit_bytes',
    'Memory limit, in bytes; 0: none.',
    ({ details }) => details.limits.memory,
  ),
  gauge(
    'container_spec_memory_reservation_limit_bytes',
    'Memory that is kept for it, in bytes; 0: none.',
    ({ details }) => details.limits.memoryReservation,
  ),
  gauge(
    'container_spec_memory_swap_limit_bytes',
    'Limit of memory and swap, in bytes; 0: none.',
    ({ details }) => details.limits.memorySwap,
  ),
];

/** The metrics of a cgroup, with cAdvisor's names. */
export const CGROUP_ROWS: readonly Row[] = [
  ...CPU,
  ...MEMORY,
  ...HUGEPAGES,
  ...IO,
  ...TASKS,
  ...PRESSURE,
  ...SPECIFICATION,
];
