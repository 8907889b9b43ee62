import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mounts } from '../../native/mountinfo.ts';
import type { CgroupHierarchy } from './hierarchy.ts';
import { cgroupProcesses, killCgroup, removeCgroup } from './kill.ts';
import { inCgroup } from './membership.ts';
import { joinPodCgroup, makePodCgroup, planPodCgroup, removePodCgroup } from './pod-cgroup.ts';
import { oomKills, oomPlace } from './oom.ts';
import { cgroupStats, taskCount } from './stats.ts';

const TOP = `/berth-test-v2-${process.pid}`;

/** A hybrid node has a v2 tree as well: without controllers, but with processes and their end. */
describe('a pod’s cgroup on a v2 tree', () => {
  let hierarchy: CgroupHierarchy;

  before(function () {
    const unified = mounts().find((mount) => mount.fstype === 'cgroup2' && mount.root === '/');
    if (unified === undefined) this.skip();
    hierarchy = { version: 2, trees: [unified.target] };
  });
  after(async () => {
    if (hierarchy === undefined) return;
    await killCgroup(TOP, hierarchy);
    await removeCgroup(TOP, hierarchy);
  });

  it('is made, joined, killed by its one file and removed', async () => {
    const cgroup = planPodCgroup(`${TOP}/pod1`, 's1', new Set(), hierarchy);
    makePodCgroup(cgroup, hierarchy);
    const { result, member } = inCgroup(
      cgroup.join,
      () => spawn('/bin/sh', ['-c', 'sleep 100 & sleep 100'], { stdio: 'ignore' }),
      hierarchy,
    );
    assert.equal(member, false);
    await joinPodCgroup(cgroup, result.pid!);
    assert.match(readFileSync(`/proc/${result.pid}/cgroup`, 'utf8'), new RegExp(`^0::${cgroup.path}$`, 'm'));
    assert.ok(cgroupProcesses(TOP, hierarchy).includes(result.pid!));
    // No controller is needed for the use of the CPU and for pressure.
    const stats = cgroupStats(TOP, hierarchy)!;
    assert.ok(stats.cpuUsageNs >= 0n);
    assert.equal(stats.pressure !== undefined, existsSync('/proc/pressure/cpu'));
    await killCgroup(TOP, hierarchy);
    assert.deepEqual(cgroupProcesses(TOP, hierarchy), []);
    await removePodCgroup(cgroup);
    assert.ok(!existsSync(join(hierarchy.trees[0]!, TOP)));
  });
});

const NONE = { totalNs: 0n, avg10: 0, avg60: 0, avg300: 0 };

describe('numbers of a v2 cgroup', () => {
  it('come from the files of the unified tree', () => {
    const tree = mkdtempSync(join(tmpdir(), 'berth-v2-'));
    try {
      const hierarchy: CgroupHierarchy = { version: 2, trees: [tree] };
      mkdirSync(join(tree, 'pod'));
      const files = {
        'cpu.stat': 'usage_usec 1500\nuser_usec 1000\n',
        'memory.current': '10000\n',
        'memory.max': '20000\n',
        'memory.stat': 'anon 4000\nfile 5000\ninactive_file 3000\npgfault 7\npgmajfault 2\n',
        'memory.events': 'low 0\nhigh 0\nmax 5\noom 3\noom_kill 2\n',
        'pids.current': '4\n',
        'memory.swap.current': '500\n',
        'memory.swap.max': 'max\n',
        'cpu.pressure': 'some avg10=1.50 avg60=0.25 avg300=0.00 total=77\n',
        'memory.pressure':
          'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=100.00 total=5\n',
        'io.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
      };
      for (const [name, content] of Object.entries(files)) writeFileSync(join(tree, 'pod', name), content);
      assert.deepEqual(cgroupStats('/pod', hierarchy), {
        cpuUsageNs: 1_500_000n,
        memoryUsageBytes: 10_000n,
        workingSetBytes: 7000n,
        rssBytes: 4000n,
        pageFaults: 7n,
        majorPageFaults: 2n,
        memoryAvailableBytes: 13_000n,
        swap: { usageBytes: 500n },
        pressure: {
          cpu: { some: { totalNs: 77_000n, avg10: 1.5, avg60: 0.25, avg300: 0 }, full: NONE },
          memory: { some: NONE, full: { totalNs: 5000n, avg10: 0, avg60: 0, avg300: 100 } },
          io: { some: NONE, full: NONE },
        },
      });
      assert.equal(taskCount('/pod', hierarchy), 4n);
      writeFileSync(join(tree, 'pod', 'memory.swap.max'), '800\n');
      assert.deepEqual(cgroupStats('/pod', hierarchy)!.swap, { usageBytes: 500n, availableBytes: 300n });
      // The kernel was started with psi=0, and without swap.
      for (const name of ['cpu.pressure', 'memory.swap.current']) rmSync(join(tree, 'pod', name));
      const { swap, pressure } = cgroupStats('/pod', hierarchy)!;
      assert.deepEqual([swap, pressure], [undefined, undefined]);
      assert.equal(oomKills('/pod', hierarchy), 2);
      mkdirSync(join(tree, 'pod/c'));
      const local = (directory: string, oom: number): void =>
        writeFileSync(join(tree, directory, 'memory.events.local'), `max 5\noom ${oom}\noom_kill 0\n`);
      local('pod', 0);
      local('pod/c', 0);
      assert.equal(oomPlace('/pod/c', hierarchy), 'node');
      local('pod', 1);
      assert.equal(oomPlace('/pod/c', hierarchy), 'pod');
      local('pod/c', 1);
      assert.equal(oomPlace('/pod/c', hierarchy), 'container');
      writeFileSync(join(tree, 'pod', 'memory.max'), 'max\n');
      assert.equal(cgroupStats('/pod', hierarchy)!.memoryAvailableBytes, undefined);
      assert.equal(cgroupStats('/gone', hierarchy), undefined);
    } finally {
      rmSync(tree, { recursive: true });
    }
  });
});
