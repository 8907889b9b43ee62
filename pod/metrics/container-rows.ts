import type { LayerUsage } from '../stats/layer-usage.ts';
import { gauge, seconds, type MetricRow } from './metric.ts';
import type { ProcessFacts } from './processes.ts';
import type { FilesystemFacts } from './filesystem.ts';

/** What is known of a container beside its cgroup. */
export interface ContainerFacts {
  nowNs: bigint;
  startedAtNs: bigint;
  processes: ProcessFacts;
  layer: LayerUsage | undefined;
  filesystem: FilesystemFacts | undefined;
}

type Row = MetricRow<ContainerFacts>;

function onDevice(pick: (filesystem: FilesystemFacts) => bigint): Row['read'] {
  return ({ filesystem }) =>
    filesystem === undefined ? undefined : { labels: [filesystem.device], value: pick(filesystem) };
}

/** The metrics of a container that no cgroup keeps, with cAdvisor's names. */
export const CONTAINER_ROWS: readonly Row[] = [
  gauge('container_last_seen', 'When it was last seen, in seconds since the epoch.', ({ nowNs }) =>
    seconds(nowNs),
  ),
  gauge(
    'container_start_time_seconds',
    'When it was started, in seconds since the epoch.',
    ({ startedAtNs }) => (startedAtNs === 0n ? undefined : seconds(startedAtNs)),
  ),
  gauge('container_processes', 'Processes that run.', ({ processes }) => processes.count),
  gauge('container_file_descriptors', 'Open file descriptors.', ({ processes }) => processes.descriptors),
  gauge('container_sockets', 'Open sockets.', ({ processes }) => processes.sockets),
  gauge(
    'container_ulimits_soft',
    'Soft limits of the first process.',
    ({ processes }) =>
      processes.maxOpenFiles === undefined
        ? undefined
        : { labels: ['max_open_files'], value: processes.maxOpenFiles },
    ['ulimit'],
  ),
  gauge(
    'container_fs_usage_bytes',
    'Bytes that the writable layer takes.',
    ({ layer, filesystem }) =>
      layer === undefined || filesystem === undefined
        ? undefined
        : { labels: [filesystem.device], value: BigInt(layer.usedBytes) },
    ['device'],
  ),
  gauge(
    'container_fs_limit_bytes',
    'Size of the file system of the writable layer, in bytes.',
    onDevice((one) => one.bytes),
    ['device'],
  ),
  gauge(
    'container_fs_inodes_total',
    'Inodes of the file system of the writable layer.',
    onDevice((one) => one.inodes),
    ['device'],
  ),
  gauge(
    'container_fs_inodes_free',
    'Free inodes of the file system of the writable layer.',
    onDevice((one) => one.inodesFree),
    ['device'],
  ),
];
