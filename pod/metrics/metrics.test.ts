import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupDetails, pageSizeName } from '../cgroup/details.ts';
import type { CgroupHierarchy } from '../cgroup/hierarchy.ts';
import { cgroupStats } from '../cgroup/stats.ts';
import { CGROUP_ROWS } from './cgroup-rows.ts';
import { CONTAINER_ROWS } from './container-rows.ts';
import { deviceName, filesystemFacts } from './filesystem.ts';
import { samplesOf, type Sample } from './metric.ts';
import { NETWORK_ROWS } from './network-rows.ts';
import { metricDescriptors } from './pod-metrics.ts';
import { processFacts } from './processes.ts';

/** The names that cAdvisor and the peers have. */
const EXPECTED = `
container_cpu_user_seconds_total container_cpu_system_seconds_total container_cpu_usage_seconds_total
container_cpu_cfs_periods_total container_cpu_cfs_throttled_periods_total container_cpu_cfs_throttled_seconds_total
container_memory_cache container_memory_rss container_memory_kernel_usage container_memory_mapped_file
container_memory_swap container_memory_failcnt container_memory_usage_bytes container_memory_max_usage_bytes
container_memory_working_set_bytes container_memory_failures_total container_oom_events_total
container_memory_total_active_file_bytes container_memory_total_inactive_file_bytes
container_network_receive_bytes_total container_network_receive_packets_total
container_network_receive_packets_dropped_total container_network_receive_errors_total
container_network_transmit_bytes_total container_network_transmit_packets_total
container_network_transmit_packets_dropped_total container_network_transmit_errors_total
container_fs_inodes_free container_fs_inodes_total container_fs_limit_bytes container_fs_usage_bytes
container_fs_reads_bytes_total container_fs_reads_total container_fs_writes_bytes_total container_fs_writes_total
container_blkio_device_usage_total container_processes container_file_descriptors container_sockets
container_threads container_threads_max container_ulimits_soft container_last_seen container_start_time_seconds
container_spec_cpu_period container_spec_cpu_quota container_spec_cpu_shares container_spec_memory_limit_bytes
container_spec_memory_reservation_limit_bytes container_spec_memory_swap_limit_bytes
container_hugetlb_usage_bytes container_hugetlb_max_usage_bytes container_hugetlb_failcnt
container_pressure_cpu_waiting_seconds_total container_pressure_cpu_stalled_seconds_total
container_pressure_io_waiting_seconds_total container_pressure_io_stalled_seconds_total
container_pressure_memory_waiting_seconds_total container_pressure_memory_stalled_seconds_total
`
  .trim()
  .split(/\s+/);

const BASE = ['pod', 'ns', 'c', '/pod/c', 'image'];

/** `name{extra labels}` to value. */
function table(samples: Sample[]): Record<string, bigint> {
  return Object.fromEntries(
    samples.map(({ name, labels, value }) => {
      const extra = labels.slice(BASE.length).join(',');
      return [name.replace('container_', '') + (extra === '' ? '' : `{${extra}}`), value];
    }),
  );
}

describe('metric descriptors', () => {
  it('are those of cAdvisor, once each, with labels and help', () => {
    const descriptors = metricDescriptors();
    assert.deepEqual(descriptors.map(({ name }) => name).toSorted(), EXPECTED.toSorted());
    for (const { name, help, labels } of descriptors) {
      assert.match(help, /^[A-Z].*\.$/, name);
      assert.deepEqual(labels.slice(0, 5), ['pod', 'namespace', 'container', 'id', 'image']);
      assert.equal(new Set(labels).size, labels.length);
    }
  });

  it('have as many labels as any sample', () => {
    const byName = new Map(metricDescriptors().map(({ name, labels }) => [name, labels.length]));
    const link = {
      name: 'eth0',
      rxBytes: 1n,
      rxPackets: 2n,
      rxErrors: 3n,
      rxDropped: 4n,
      txBytes: 5n,
      txPackets: 6n,
      txErrors: 7n,
      txDropped: 8n,
    };
    const samples = [
      ...samplesOf(NETWORK_ROWS, [link, { ...link, name: 'net1' }], BASE, 1n),
      ...samplesOf(
        CONTAINER_ROWS,
        {
          nowNs: 10_500_000_000n,
          startedAtNs: 9_900_000_000n,
          processes: { count: 2n, descriptors: 3n, sockets: 1n, maxOpenFiles: 1024n },
          layer: { mountpoint: '/l', usedBytes: 7, inodesUsed: 1, atNs: 1n },
          filesystem: { device: '/dev/sda', bytes: 100n, inodes: 10n, inodesFree: 9n },
        },
        BASE,
        1n,
      ),
    ];
    for (const { name, labels } of samples) assert.equal(labels.length, byName.get(name), name);
    const values = table(samples);
    assert.equal(values['network_transmit_packets_dropped_total{net1}'], 8n);
    assert.equal(values['start_time_seconds'], 9n);
    assert.equal(values['last_seen'], 10n);
    assert.equal(values['ulimits_soft{max_open_files}'], 1024n);
    assert.equal(values['fs_usage_bytes{/dev/sda}'], 7n);
  });
});

describe('metrics of a cgroup', () => {
  let tree: string;
  beforeEach(() => (tree = mkdtempSync(join(tmpdir(), 'berth-metrics-'))));
  afterEach(() => rmSync(tree, { recursive: true }));

  const put = (directory: string, files: Record<string, string>): void => {
    mkdirSync(join(tree, directory, 'c'), { recursive: true });
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(tree, directory, 'c', name), content);
  };
  const read = (hierarchy: CgroupHierarchy): Record<string, bigint> =>
    table(
      samplesOf(
        CGROUP_ROWS,
        {
          details: cgroupDetails('/c', cgroupStats('/c', hierarchy)!, hierarchy)!,
          deviceName: (major, minor) => `dev${major}-${minor}`,
        },
        BASE,
        1n,
      ),
    );

  it('come from the files of v2', () => {
    put('v2', {
      'cpu.stat':
        'usage_usec 3500000\nuser_usec 2000000\nsystem_usec 1500000\nnr_periods 9\nnr_throttled 2\nthrottled_usec 4000000\n',
      'cpu.max': '50000 100000\n',
      'cpu.weight': '39\n',
      'memory.current': '10000\n',
      'memory.max': '20000\n',
      'memory.low': '500\n',
      'memory.swap.max': '1000\n',
      'memory.swap.current': '10\n',
      'memory.peak': '15000\n',
      'memory.stat':
        'anon 4000\nfile 5000\nkernel 700\nfile_mapped 600\ninactive_file 3000\nactive_file 2000\npgfault 7\npgmajfault 2\n',
      'memory.events': 'low 0\nhigh 0\nmax 5\noom 3\noom_kill 2\n',
      'pids.current': '4\n',
      'pids.max': 'max\n',
      'io.stat': '8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n254:1 \n',
      'cpu.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n',
      'memory.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
      'io.pressure':
        'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9000000\n',
    });
    const values = read({ version: 2, trees: [join(tree, 'v2')] });
    assert.deepEqual(values, {
      'cpu_usage_seconds_total{total}': 3n,
      cpu_user_seconds_total: 2n,
      cpu_system_seconds_total: 1n,
      cpu_cfs_periods_total: 9n,
      cpu_cfs_throttled_periods_total: 2n,
      cpu_cfs_throttled_seconds_total: 4n,
      memory_usage_bytes: 10_000n,
      memory_working_set_bytes: 7000n,
      memory_rss: 4000n,
      memory_cache: 5000n,
      memory_swap: 10n,
      memory_kernel_usage: 700n,
      memory_mapped_file: 600n,
      memory_total_active_file_bytes: 2000n,
      memory_total_inactive_file_bytes: 3000n,
      memory_max_usage_bytes: 15_000n,
      memory_failcnt: 5n,
      'memory_failures_total{pgfault,container}': 7n,
      'memory_failures_total{pgfault,hierarchy}': 7n,
      'memory_failures_total{pgmajfault,container}': 2n,
      'memory_failures_total{pgmajfault,hierarchy}': 2n,
      oom_events_total: 2n,
      'fs_reads_bytes_total{dev8-0}': 4096n,
      'fs_reads_total{dev8-0}': 1n,
      'fs_writes_bytes_total{dev8-0}': 8192n,
      'fs_writes_total{dev8-0}': 2n,
      'blkio_device_usage_total{dev8-0,8,0,Read}': 4096n,
      'blkio_device_usage_total{dev8-0,8,0,Write}': 8192n,
      threads: 4n,
      threads_max: 0n,
      pressure_cpu_waiting_seconds_total: 2n,
      pressure_cpu_stalled_seconds_total: 0n,
      pressure_memory_waiting_seconds_total: 0n,
      pressure_memory_stalled_seconds_total: 0n,
      pressure_io_waiting_seconds_total: 0n,
      pressure_io_stalled_seconds_total: 9n,
      spec_cpu_period: 100_000n,
      spec_cpu_quota: 50_000n,
      spec_cpu_shares: 998n,
      spec_memory_limit_bytes: 20_000n,
      spec_memory_reservation_limit_bytes: 500n,
      spec_memory_swap_limit_bytes: 21_000n,
    });
  });

  it('come from the files of v1', () => {
    put('all', {
      'cpuacct.usage': '3500000000\n',
      'cpuacct.usage_user': '2000000000\n',
      'cpuacct.usage_sys': '1500000000\n',
      'cpu.stat': 'nr_periods 9\nnr_throttled 2\nthrottled_time 4000000000\n',
      'cpu.cfs_quota_us': '-1\n',
      'cpu.cfs_period_us': '100000\n',
      'cpu.shares': '512\n',
      'memory.usage_in_bytes': '10000\n',
      'memory.limit_in_bytes': '9223372036854771712\n',
      'memory.max_usage_in_bytes': '12000\n',
      'memory.stat': 'pgfault 3\ntotal_pgfault 7\ntotal_cache 5000\ntotal_inactive_file 3000\n',
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      'pids.current': '4\n',
      'pids.max': '100\n',
      'blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n',
      'blkio.throttle.io_serviced_recursive': '8:0 Read 1\n8:0 Write 0\nTotal 1\n',
    });
    const names = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio'];
    const controllers = new Map(names.map((name) => [name, join(tree, 'all')]));
    const values = read({ version: 1, trees: [join(tree, 'all')], controllers });
    assert.equal(values['cpu_system_seconds_total'], 1n);
    assert.equal(values['spec_cpu_quota'], undefined);
    assert.equal(values['spec_memory_limit_bytes'], 0n);
    assert.equal(values['memory_failures_total{pgfault,container}'], 3n);
    assert.equal(values['memory_failures_total{pgfault,hierarchy}'], 7n);
    assert.equal(values['oom_events_total'], 1n);
    assert.equal(values['threads_max'], 100n);
    assert.equal(values['fs_reads_bytes_total{dev8-0}'], 4096n);
    assert.equal(values['pressure_cpu_waiting_seconds_total'], undefined);
  });

  it('are nothing when it is gone', () => {
    put('v2', { 'cpu.stat': 'usage_usec 1\n' });
    const hierarchy: CgroupHierarchy = { version: 2, trees: [join(tree, 'v2')] };
    const stats = cgroupStats('/c', hierarchy)!;
    rmSync(join(tree, 'v2/c'), { recursive: true });
    assert.equal(cgroupDetails('/c', stats, hierarchy), undefined);
  });
});

describe('what /proc and the file system tell', () => {
  it('counts descriptors and sockets of processes', async () => {
    const before = processFacts([process.pid], process.pid);
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const after = processFacts([process.pid, 2 ** 22 + 1], process.pid);
    server.close();
    assert.equal(after.count, 2n);
    assert.equal(after.sockets, before.sockets! + 1n);
    assert.ok(after.descriptors! > before.descriptors!);
    assert.ok(after.maxOpenFiles! > 0n);
    assert.equal(processFacts([], undefined).maxOpenFiles, undefined);
  });

  it('names devices', async () => {
    assert.equal(deviceName('0', '9999'), '0:9999');
    const facts = (await filesystemFacts(tmpdir()))!;
    assert.ok(facts.bytes > 0n && facts.device !== '');
    assert.equal(await filesystemFacts('/no/such/path'), undefined);
  });

  it('spells sizes of huge pages as the kernel does', () => {
    assert.deepEqual([64, 2048, 1_048_576].map(pageSizeName), ['64KB', '2MB', '1GB']);
  });
});
