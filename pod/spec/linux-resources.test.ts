import assert from 'node:assert/strict';
import type { LinuxResources } from '../config.ts';
import { resourcesOf } from './linux-resources.ts';

const asked = (changes: Partial<LinuxResources>): LinuxResources => ({
  cpuPeriod: 0,
  cpuQuota: 0,
  cpuShares: 0,
  memoryLimitInBytes: 0,
  memorySwapLimitInBytes: 0,
  oomScoreAdj: 0,
  cpusetCpus: '',
  cpusetMems: '',
  hugepageLimits: [],
  unified: {},
  ...changes,
});
const v1 = { cgroupVersion: 1 as const, hugetlb: false, swapAccounting: true };
const v2 = { cgroupVersion: 2 as const, hugetlb: true, swapAccounting: true };

describe('resourcesOf', () => {
  it('takes zero and empty for no limit', () => {
    assert.deepEqual(resourcesOf(asked({}), v1, []), {});
    assert.deepEqual(resourcesOf(undefined, v1, []), {});
  });

  it('keeps a container out of swap unless told otherwise', () => {
    assert.deepEqual(resourcesOf(asked({ memoryLimitInBytes: 100 }), v1, []).memory, {
      limit: 100,
      swap: 100,
    });
    assert.deepEqual(
      resourcesOf(asked({ memoryLimitInBytes: 100, memorySwapLimitInBytes: -1 }), v1, []).memory,
      {
        limit: 100,
        swap: -1,
      },
    );
    const notes: string[] = [];
    const without = { ...v1, swapAccounting: false };
    assert.deepEqual(
      resourcesOf(asked({ memoryLimitInBytes: 100, memorySwapLimitInBytes: 150 }), without, notes).memory,
      { limit: 100 },
    );
    assert.equal(notes.length, 1);
    assert.throws(() => resourcesOf(asked({ memoryLimitInBytes: 100, memorySwapLimitInBytes: 50 }), v1, []), {
      kind: 'invalid',
    });
  });

  it('passes CPU limits on, an unlimited quota as well', () => {
    assert.deepEqual(
      resourcesOf(asked({ cpuShares: 2, cpuQuota: -1, cpuPeriod: 100_000, cpusetCpus: '0-1,3' }), v1, []).cpu,
      {
        shares: 2,
        quota: -1,
        period: 100_000,
        cpus: '0-1,3',
      },
    );
    for (const cpusetCpus of ['0-', 'a', '0,,1', '0\n']) {
      assert.throws(() => resourcesOf(asked({ cpusetCpus }), v1, []), { kind: 'invalid' });
    }
  });

  it('leaves huge page limits out with a note when there is no controller', () => {
    const hugepageLimits = [
      { pageSize: '2MB', limit: 4194304n },
      { pageSize: '1GB', limit: 2n ** 63n },
    ];
    const notes: string[] = [];
    assert.deepEqual(resourcesOf(asked({ hugepageLimits }), v1, notes), {});
    assert.match(notes[0]!, /2MB, 1GB/);
    assert.deepEqual(resourcesOf(asked({ hugepageLimits }), v2, []).hugepageLimits, [
      { pageSize: '2MB', limit: 4194304 },
    ]);
  });

  it('passes raw settings on to cgroup v2 and refuses them on v1', () => {
    const unified = { 'memory.high': '1048576' };
    assert.deepEqual(resourcesOf(asked({ unified }), v2, []).unified, unified);
    assert.throws(() => resourcesOf(asked({ unified }), v1, []), { kind: 'invalid' });
    for (const key of ['../escape', 'cgroup.procs', 'cgroup.kill', 'memory'])
      assert.throws(() => resourcesOf(asked({ unified: { [key]: '1' } }), v2, []), { kind: 'invalid' }, key);
  });
});
