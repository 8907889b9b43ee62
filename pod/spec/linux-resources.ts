import { Fault } from '../../ground/fault.ts';
import type { LinuxResources } from '../config.ts';
import type { NodeFacts } from './input.ts';
import type { OciResources } from './oci-spec.ts';

/**
 * CPU, memory, huge page and raw cgroup v2 limits (config-linux.md, "Control groups"). Zero and empty mean: no limit
 * asked for. Without a swap limit the memory limit counts for both, so that no container swaps by default.
 *
 * Limits whose controller the node does not have are left out with a note. Throws `invalid` for malformed cpusets
 * and for raw v2 settings on a v1 node.
 */
export function resourcesOf(
  asked: LinuxResources | undefined,
  node: Pick<NodeFacts, 'cgroupVersion' | 'hugetlb' | 'swapAccounting'>,
  notes: string[],
): Omit<OciResources, 'devices'> {
  if (asked === undefined) return {};
  return {
    ...cpuOf(asked),
    ...memoryOf(asked, node.swapAccounting, notes),
    ...hugepagesOf(asked, node.hugetlb, notes),
    ...unifiedOf(asked, node.cgroupVersion),
  };
}

/** What of the request is in force on this node: what was left out or clamped is told as it is (ContainerStatus). */
export function resourcesInForce(
  asked: LinuxResources,
  node: Pick<NodeFacts, 'hugetlb' | 'minOomScoreAdj'>,
): LinuxResources {
  return {
    ...asked,
    hugepageLimits: node.hugetlb ? asked.hugepageLimits : [],
    oomScoreAdj: Math.max(asked.oomScoreAdj, node.minOomScoreAdj),
  };
}

function cpuOf(asked: LinuxResources): Pick<OciResources, 'cpu'> {
  const cpu: NonNullable<OciResources['cpu']> = {};
  if (asked.cpuShares !== 0) cpu.shares = asked.cpuShares;
  if (asked.cpuQuota !== 0) cpu.quota = asked.cpuQuota;
  if (asked.cpuPeriod !== 0) cpu.period = asked.cpuPeriod;
  if (asked.cpusetCpus !== '') cpu.cpus = cpuset('cpuset_cpus', asked.cpusetCpus);
  if (asked.cpusetMems !== '') cpu.mems = cpuset('cpuset_mems', asked.cpusetMems);
  if ((cpu.shares ?? 0) < 0 || (cpu.period ?? 0) < 0)
    throw new Fault('invalid', 'CPU shares and period cannot be negative');
  return Object.keys(cpu).length > 0 ? { cpu } : {};
}

function cpuset(name: string, value: string): string {
  if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(value))
    throw new Fault('invalid', `${name} ${JSON.stringify(value)} is not a list like 0-3,7`);
  return value;
}

function memoryOf(
  asked: LinuxResources,
  swapAccounting: boolean,
  notes: string[],
): Pick<OciResources, 'memory'> {
  const limit = asked.memoryLimitInBytes;
  const swap = asked.memorySwapLimitInBytes;
  if (swap > 0 && limit > 0 && swap < limit)
    throw new Fault(
      'invalid',
      `The limit of memory and swap (${swap}) is below the limit of memory (${limit})`,
    );
  const memory: NonNullable<OciResources['memory']> = {};
  if (limit !== 0) memory.limit = limit;
  if (swapAccounting) {
    if (swap !== 0) memory.swap = swap;
    else if (limit !== 0) memory.swap = limit;
  } else if (swap !== 0 && swap !== limit) {
    notes.push(`memory and swap limit ${swap} left out: the kernel does not account swap`);
  }
  return Object.keys(memory).length > 0 ? { memory } : {};
}

function hugepagesOf(
  asked: LinuxResources,
  hugetlb: boolean,
  notes: string[],
): Pick<OciResources, 'hugepageLimits'> {
  const limits = asked.hugepageLimits;
  if (limits.length === 0) return {};
  if (!hugetlb) {
    notes.push(
      `huge page limits left out (${limits.map((l) => l.pageSize).join(', ')}): no hugetlb controller`,
    );
    return {};
  }
  const exact = limits.filter((l) => l.limit <= BigInt(Number.MAX_SAFE_INTEGER));
  // A number that JSON readers cannot keep exactly is far above any machine's memory: the same as no limit.
  return { hugepageLimits: exact.map((l) => ({ pageSize: l.pageSize, limit: Number(l.limit) })) };
}

function unifiedOf(asked: LinuxResources, version: 1 | 2): Pick<OciResources, 'unified'> {
  const entries = Object.entries(asked.unified);
  if (entries.length === 0) return {};
  if (version === 1)
    throw new Fault('invalid', `Unified settings (${entries[0]![0]}) need cgroup v2, and this node has v1`);
  for (const [key] of entries) {
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(key))
      throw new Fault('invalid', `${JSON.stringify(key)} is not the name of a cgroup file`);
    if (key.startsWith('cgroup.'))
      throw new Fault('invalid', `${JSON.stringify(key)} is no limit: it moves, stops or ends processes`);
  }
  return { unified: { ...asked.unified } };
}
