import type { Limits } from './cgroup/limits.ts';
import type { LinuxResources } from './config.ts';

/** No limit asked for: what a container has when its configuration says nothing. */
const NONE: LinuxResources = {
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
};

/**
 * The resources of a container after an update: what the update names takes the place of what was there, zero and
 * empty mean "not specified" (CRI, LinuxContainerResources). A new memory limit without a swap limit takes the old
 * swap limit away, as with the peers: the memory limit counts for both then.
 */
export function mergedResources(present: LinuxResources | undefined, update: LinuxResources): LinuxResources {
  const old = present ?? NONE;
  const memoryAlone = update.memoryLimitInBytes !== 0 && update.memorySwapLimitInBytes === 0;
  const sizes = new Set(update.hugepageLimits.map(({ pageSize }) => pageSize));
  return {
    cpuPeriod: update.cpuPeriod || old.cpuPeriod,
    cpuQuota: update.cpuQuota || old.cpuQuota,
    cpuShares: update.cpuShares || old.cpuShares,
    memoryLimitInBytes: update.memoryLimitInBytes || old.memoryLimitInBytes,
    memorySwapLimitInBytes: memoryAlone ? 0 : update.memorySwapLimitInBytes || old.memorySwapLimitInBytes,
    oomScoreAdj: update.oomScoreAdj || old.oomScoreAdj,
    cpusetCpus: update.cpusetCpus || old.cpusetCpus,
    cpusetMems: update.cpusetMems || old.cpusetMems,
    hugepageLimits: [
      ...old.hugepageLimits.filter(({ pageSize }) => !sizes.has(pageSize)),
      ...update.hugepageLimits,
    ],
    unified: { ...old.unified, ...update.unified },
  };
}

/** The limits that an update touches, out of all that the container has with it. */
export function touchedLimits(all: Limits, update: LinuxResources): Limits {
  const { cpu, memory } = all;
  const bandwidth = update.cpuQuota !== 0 || update.cpuPeriod !== 0;
  const sizes = new Set(update.hugepageLimits.map(({ pageSize }) => pageSize));
  const hugepageLimits = all.hugepageLimits?.filter(({ pageSize }) => sizes.has(pageSize)) ?? [];
  const unified = Object.entries(all.unified ?? {}).filter(([name]) => name in update.unified);
  const touchedCpu = {
    ...(update.cpuShares !== 0 ? { shares: cpu?.shares } : {}),
    ...(bandwidth && cpu?.quota !== undefined ? { quota: cpu.quota } : {}),
    ...(bandwidth && cpu?.period !== undefined ? { period: cpu.period } : {}),
    ...(update.cpusetCpus !== '' ? { cpus: cpu?.cpus } : {}),
    ...(update.cpusetMems !== '' ? { mems: cpu?.mems } : {}),
  };
  const memoryToo = update.memoryLimitInBytes !== 0 || update.memorySwapLimitInBytes !== 0;
  return {
    ...(Object.keys(touchedCpu).length > 0 ? { cpu: touchedCpu } : {}),
    ...(memoryToo && memory !== undefined ? { memory } : {}),
    ...(hugepageLimits.length > 0 ? { hugepageLimits } : {}),
    ...(unified.length > 0 ? { unified: Object.fromEntries(unified) } : {}),
  };
}
