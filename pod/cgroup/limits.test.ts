import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { mounts } from '../../native/mountinfo.ts';
import type { CgroupHierarchy } from './hierarchy.ts';
import { limitWrites, weightOfShares, type Limits } from './limits.ts';
import { makePodCgroup, planPodCgroup, removePodCgroup } from './pod-cgroup.ts';
import { restore, valuesBefore, writeAll } from './write.ts';

describe('limits as writes to a cgroup', () => {
  let tree: string;
  let v2: CgroupHierarchy;
  let v1: CgroupHierarchy;

  beforeEach(() => {
    tree = mkdtempSync(join(tmpdir(), 'berth-limits-'));
    v2 = { version: 2, trees: [join(tree, 'v2')] };
    const controllers = ['cpu', 'cpuset', 'memory', 'hugetlb'].map(
      (name) => [name, join(tree, name)] as const,
    );
    v1 = { version: 1, trees: controllers.map(([, path]) => path), controllers: new Map(controllers) };
  });
  afterEach(() => rmSync(tree, { recursive: true }));

  const put = (directory: string, files: Record<string, string>): void => {
    mkdirSync(join(tree, directory, 'c'), { recursive: true });
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(tree, directory, 'c', name), content);
  };
  const short = (limits: Limits, hierarchy: CgroupHierarchy): string[] =>
    limitWrites('/c', limits, hierarchy).map(({ file, value }) => `${basename(file)}=${value}`);

  it('are one line each on v2', () => {
    put('v2', { 'cpu.max': 'max 100000\n', 'memory.current': '1000\n', 'hugetlb.2MB.rsvd.max': 'max\n' });
    const limits: Limits = {
      cpu: { shares: 1024, quota: 50_000, cpus: '0-1', mems: '0' },
      memory: { limit: 4096, swap: 6144 },
      hugepageLimits: [
        { pageSize: '2MB', limit: 2097152 },
        { pageSize: '1GB', limit: 0 },
      ],
      unified: { 'memory.high': '2048' },
    };
    assert.deepEqual(short(limits, v2), [
      'cpu.weight=39',
      'cpu.max=50000 100000',
      'memory.max=4096',
      'memory.swap.max=2048',
      'cpuset.cpus=0-1',
      'cpuset.mems=0',
      'hugetlb.2MB.max=2097152',
      'hugetlb.2MB.rsvd.max=2097152',
      'hugetlb.1GB.max=0',
      'memory.high=2048',
    ]);
  });

  it('keep what is not asked for on v2', () => {
    put('v2', { 'cpu.max': '20000 50000\n' });
    assert.deepEqual(short({ cpu: { period: 80_000 } }, v2), ['cpu.max=20000 80000']);
    assert.deepEqual(short({ cpu: { quota: -1 } }, v2), ['cpu.max=max 50000']);
    assert.deepEqual(short({ memory: { limit: -1, swap: -1 } }, v2), [
      'memory.max=max',
      'memory.swap.max=max',
    ]);
    assert.deepEqual(short({}, v2), []);
  });

  it('do not make the kernel kill on v2', () => {
    put('v2', { 'memory.current': '5000\n' });
    assert.throws(() => short({ memory: { limit: 4096 } }, v2), {
      kind: 'precondition',
      message: /5000 bytes/,
    });
    assert.throws(() => short({ memory: { swap: 4096 } }, v2), { kind: 'invalid' });
  });

  it('never ask for more than there is above, in between, on v1', () => {
    put('cpu', { 'cpu.cfs_period_us': '100000\n' });
    assert.deepEqual(short({ cpu: { quota: 10, period: 200_000 } }, v1), [
      'cpu.cfs_period_us=200000',
      'cpu.cfs_quota_us=10',
    ]);
    assert.deepEqual(short({ cpu: { quota: 10, period: 50_000 } }, v1), [
      'cpu.cfs_quota_us=10',
      'cpu.cfs_period_us=50000',
    ]);
  });

  it('keep memory below memory and swap on v1', () => {
    put('memory', { 'memory.memsw.limit_in_bytes': '8192\n' });
    const up = ['memory.memsw.limit_in_bytes=16384', 'memory.limit_in_bytes=16384'];
    assert.deepEqual(short({ memory: { limit: 16384, swap: 16384 } }, v1), up);
    const down = ['memory.limit_in_bytes=4096', 'memory.memsw.limit_in_bytes=4096'];
    assert.deepEqual(short({ memory: { limit: 4096, swap: 4096 } }, v1), down);
    const free = ['memory.memsw.limit_in_bytes=-1', 'memory.limit_in_bytes=-1'];
    assert.deepEqual(short({ memory: { limit: -1, swap: -1 } }, v1), free);
  });

  it('need their controller', () => {
    const bare: CgroupHierarchy = { version: 1, trees: [], controllers: new Map() };
    assert.throws(() => limitWrites('/c', { cpu: { shares: 2 } }, bare), {
      kind: 'precondition',
      message: /no cpu controller/,
    });
  });

  it('are all written or none', async () => {
    put('v2', { 'cpu.weight': '100\n', 'memory.max': 'max\n', 'memory.current': '0\n' });
    const weight = join(tree, 'v2/c/cpu.weight');
    const writes = limitWrites('/c', { cpu: { shares: 1024 }, memory: { limit: 4096 } }, v2);
    const before = await valuesBefore(writes);
    await writeAll(writes, before);
    assert.equal(readFileSync(weight, 'latin1'), '39');
    await restore(before);
    assert.equal(readFileSync(weight, 'latin1'), '100');
    rmSync(join(tree, 'v2/c/memory.max'));
    await assert.rejects(writeAll(writes, before), { kind: 'precondition', message: /has no memory\.max/ });
    assert.equal(readFileSync(weight, 'latin1'), '100');
    await assert.rejects(valuesBefore(writes), { kind: 'precondition' });
    await assert.rejects(writeAll(writes, before, AbortSignal.abort()), { name: 'AbortError' });
    assert.equal(readFileSync(weight, 'latin1'), '100');
  });

  it('of devices are undone line by line', async () => {
    put('v2', { 'io.max': '8:0 rbps=max wbps=100 riops=max wiops=max\n' });
    const value = '8:0 wbps=50\n8:16 rbps=10';
    const before = await valuesBefore([{ file: join(tree, 'v2/c/io.max'), value }]);
    assert.deepEqual(
      before.map((write) => write.value),
      ['8:0 rbps=max wbps=100 riops=max wiops=max', '8:16 rbps=max wbps=max riops=max wiops=max'],
    );
  });
});

describe('weightOfShares', () => {
  it('maps the whole range', () => {
    assert.deepEqual([0, 2, 1024, 262_144, 10 ** 9].map(weightOfShares), [1, 1, 39, 10_000, 10_000]);
  });
});

describe('limits of a real v2 cgroup', () => {
  const top = `/berth-test-limits-${process.pid}`;

  it('hold huge pages back, and go back when a write is refused', async function () {
    const unified = mounts().find((mount) => mount.fstype === 'cgroup2' && mount.root === '/');
    const controllers = unified && readFileSync(join(unified.target, 'cgroup.controllers'), 'latin1');
    if (unified === undefined || !controllers!.includes('hugetlb')) this.skip();
    const hierarchy: CgroupHierarchy = { version: 2, trees: [unified.target] };
    const cgroup = planPodCgroup(top, undefined, new Set(), hierarchy);
    makePodCgroup(cgroup, hierarchy);
    try {
      const file = join(unified.target, top, 'hugetlb.2MB.max');
      const hugepageLimits = [{ pageSize: '2MB', limit: 4 << 20 }];
      const writes = limitWrites(top, { hugepageLimits }, hierarchy);
      const before = await valuesBefore(writes);
      await writeAll(writes, before);
      assert.equal(readFileSync(file, 'latin1').trim(), String(4 << 20));
      const bad = [
        { file, value: '2097152' },
        { file, value: 'much' },
      ];
      await assert.rejects(writeAll(bad, await valuesBefore(bad)), {
        kind: 'invalid',
        message: /refuses "much"/,
      });
      assert.equal(readFileSync(file, 'latin1').trim(), String(4 << 20));
      await restore(before);
      assert.equal(readFileSync(file, 'latin1').trim(), 'max');
    } finally {
      await removePodCgroup(cgroup);
    }
  });
});
