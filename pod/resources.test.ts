import assert from 'node:assert/strict';
import type { LinuxResources } from './config.ts';
import { mergedResources, touchedLimits } from './resources.ts';
import { resourcesInForce, resourcesOf } from './spec/linux-resources.ts';

const resources = (changes: Partial<LinuxResources>): LinuxResources => ({
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
const NODE = { cgroupVersion: 2 as const, hugetlb: true, swapAccounting: true };

describe('an update of resources', () => {
  it('leaves what it does not name', () => {
    const old = resources({
      cpuShares: 2,
      cpuQuota: 10,
      cpusetCpus: '0',
      hugepageLimits: [{ pageSize: '2MB', limit: 1n }],
      unified: { 'memory.high': '1', 'io.weight': '5' },
    });
    const update = resources({
      cpuQuota: -1,
      hugepageLimits: [{ pageSize: '1GB', limit: 2n }],
      unified: { 'memory.high': '2' },
    });
    assert.deepEqual(mergedResources(old, update), {
      ...old,
      cpuQuota: -1,
      hugepageLimits: [
        { pageSize: '2MB', limit: 1n },
        { pageSize: '1GB', limit: 2n },
      ],
      unified: { 'memory.high': '2', 'io.weight': '5' },
    });
    assert.deepEqual(mergedResources(undefined, update), update);
    assert.deepEqual(mergedResources(old, resources({})), old);
  });

  it('takes a swap limit away with a new memory limit alone', () => {
    const old = resources({ memoryLimitInBytes: 10, memorySwapLimitInBytes: 20 });
    assert.equal(mergedResources(old, resources({ memoryLimitInBytes: 30 })).memorySwapLimitInBytes, 0);
    assert.equal(mergedResources(old, resources({ cpuShares: 3 })).memorySwapLimitInBytes, 20);
    assert.deepEqual(
      mergedResources(old, resources({ memorySwapLimitInBytes: 40 })),
      resources({ memoryLimitInBytes: 10, memorySwapLimitInBytes: 40 }),
    );
  });

  it('touches only the limits that it names, with those that belong to them', () => {
    const touched = (old: LinuxResources, update: LinuxResources): object =>
      touchedLimits(resourcesOf(mergedResources(old, update), NODE, []), update);
    const old = resources({ cpuShares: 2, cpuQuota: 10_000, memoryLimitInBytes: 10, cpusetCpus: '0' });
    assert.deepEqual(touched(old, resources({})), {});
    assert.deepEqual(touched(old, resources({ cpuPeriod: 50_000 })), {
      cpu: { quota: 10_000, period: 50_000 },
    });
    assert.deepEqual(touched(old, resources({ memoryLimitInBytes: 30 })), {
      memory: { limit: 30, swap: 30 },
    });
    assert.deepEqual(touched(old, resources({ cpusetMems: '0', unified: { 'io.weight': '1' } })), {
      cpu: { mems: '0' },
      unified: { 'io.weight': '1' },
    });
  });
});

describe('resourcesInForce', () => {
  it('tells what this node can give', () => {
    const asked = resources({ oomScoreAdj: -998, hugepageLimits: [{ pageSize: '2MB', limit: 0n }] });
    assert.deepEqual(resourcesInForce(asked, { hugetlb: false, minOomScoreAdj: 0 }), resources({}));
    assert.deepEqual(resourcesInForce(asked, { hugetlb: true, minOomScoreAdj: -1000 }), asked);
  });
});
