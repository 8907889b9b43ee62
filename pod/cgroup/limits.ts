import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { OciResources } from '../spec/oci-spec.ts';
import { readNumber, readText } from './files.ts';
import { controllerDirectory, type CgroupHierarchy } from './hierarchy.ts';

/** One file of a cgroup and the text that it is to hold. */
export interface CgroupWrite {
  file: string;
  value: string;
}

/** The limits of an OCI specification that can change while a container lives; absent ones stay as they are. */
export type Limits = Pick<OciResources, 'cpu' | 'memory' | 'hugepageLimits' | 'unified'>;

const UNLIMITED = -1;
/** The kernel's own period, in microseconds. */
const DEFAULT_PERIOD = 100_000;

/**
 * The writes that give a cgroup these limits, in an order in which each of them is allowed (sched-bwc.rst, memory.rst
 * of cgroup v1; cgroup-v2.rst). It reads the present limits of the cgroup for that. Throws `invalid` for a limit that
 * makes no sense by itself, and `precondition` when the memory in use is above the new limit of a v2 cgroup: the
 * kernel would kill for it, while v1 refuses such a limit itself.
 */
export function limitWrites(path: string, limits: Limits, hierarchy: CgroupHierarchy): CgroupWrite[] {
  const place = (controller: string): string => {
    const directory = controllerDirectory(hierarchy, controller, path);
    if (directory !== undefined) return directory;
    throw new Fault('precondition', `This node has no ${controller} controller`);
  };
  const writes =
    hierarchy.version === 2
      ? [...cpuV2(place('cpu'), limits.cpu), ...memoryV2(place('memory'), limits.memory)]
      : [...cpuV1(place, limits.cpu), ...memoryV1(place, limits.memory)];
  return [
    ...writes,
    ...cpusets(place, limits.cpu),
    ...hugepages(place, limits.hugepageLimits ?? [], hierarchy.version),
    ...Object.entries(limits.unified ?? {}).map(([name, value]) => ({ file: join(place(''), name), value })),
  ];
}

/** CPU weight of cgroup v2 from shares: 2…262144 becomes 1…10000, as both OCI runtimes count it (KEP-2254). */
export function weightOfShares(shares: number): number {
  const bounded = Math.min(Math.max(shares, 2), 262_144);
  return Math.floor(1 + ((bounded - 2) * 9999) / 262_142);
}

function cpuV1(place: (controller: string) => string, cpu: Limits['cpu']): CgroupWrite[] {
  if (cpu === undefined) return [];
  const writes: CgroupWrite[] = [];
  const file = (name: string): string => join(place('cpu'), name);
  if (cpu.shares !== undefined) writes.push({ file: file('cpu.shares'), value: String(cpu.shares) });
  const period =
    cpu.period === undefined ? [] : [{ file: file('cpu.cfs_period_us'), value: String(cpu.period) }];
  const quota = cpu.quota === undefined ? [] : [{ file: file('cpu.cfs_quota_us'), value: String(cpu.quota) }];
  // A child may not have a larger part of the time than its parent, at no moment: the write that lowers it comes first.
  const now = Number(readNumber(place('cpu'), 'cpu.cfs_period_us') ?? DEFAULT_PERIOD);
  const longer = cpu.period !== undefined && cpu.period >= now;
  return [...writes, ...(longer ? [...period, ...quota] : [...quota, ...period])];
}

function cpuV2(directory: string, cpu: Limits['cpu']): CgroupWrite[] {
  if (cpu === undefined) return [];
  const writes: CgroupWrite[] = [];
  if (cpu.shares !== undefined)
    writes.push({ file: join(directory, 'cpu.weight'), value: String(weightOfShares(cpu.shares)) });
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    const [quotaNow = 'max', periodNow = DEFAULT_PERIOD] =
      readText(directory, 'cpu.max')?.trim().split(' ') ?? [];
    const quota = cpu.quota === undefined ? quotaNow : cpu.quota < 0 ? 'max' : cpu.quota;
    writes.push({ file: join(directory, 'cpu.max'), value: `${quota} ${cpu.period ?? periodNow}` });
  }
  return writes;
}

function memoryV1(place: (controller: string) => string, memory: Limits['memory']): CgroupWrite[] {
  if (memory === undefined) return [];
  const directory = place('memory');
  const limit = oneWrite(directory, 'memory.limit_in_bytes', memory.limit);
  const both = oneWrite(directory, 'memory.memsw.limit_in_bytes', memory.swap);
  // memory.limit may never be above memory.memsw.limit.
  const now = readNumber(directory, 'memory.memsw.limit_in_bytes') ?? 0n;
  const raised = memory.swap !== undefined && (memory.swap === UNLIMITED || BigInt(memory.swap) > now);
  return raised ? [...both, ...limit] : [...limit, ...both];
}

function memoryV2(directory: string, memory: Limits['memory']): CgroupWrite[] {
  if (memory === undefined) return [];
  const { limit, swap } = memory;
  if (limit !== undefined && limit >= 0) {
    const used = readNumber(directory, 'memory.current') ?? 0n;
    if (used > BigInt(limit))
      throw new Fault('precondition', `${used} bytes of memory are in use, above the new limit of ${limit}`, {
        hint: 'with that limit the kernel would end processes of the container',
      });
  }
  return [
    ...oneWrite(directory, 'memory.max', limit),
    ...oneWrite(directory, 'memory.swap.max', swap === undefined ? undefined : swapAlone(limit, swap)),
  ];
}

/** v2 limits swap by itself, the CRI memory and swap together. */
function swapAlone(limit: number | undefined, both: number): number {
  if (both === UNLIMITED) return UNLIMITED;
  if (limit === undefined || limit < 0)
    throw new Fault('invalid', 'A limit of memory and swap needs a limit of memory');
  return both - limit;
}

function oneWrite(directory: string, name: string, bytes: number | undefined): CgroupWrite[] {
  if (bytes === undefined) return [];
  const v2 = name.endsWith('.max');
  return [{ file: join(directory, name), value: bytes === UNLIMITED && v2 ? 'max' : String(bytes) }];
}

function cpusets(place: (controller: string) => string, cpu: Limits['cpu']): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpu?.cpus !== undefined) writes.push({ file: join(place('cpuset'), 'cpuset.cpus'), value: cpu.cpus });
  if (cpu?.mems !== undefined) writes.push({ file: join(place('cpuset'), 'cpuset.mems'), value: cpu.mems });
  return writes;
}

function hugepages(
  place: (controller: string) => string,
  limits: NonNullable<Limits['hugepageLimits']>,
  version: 1 | 2,
): CgroupWrite[] {
  return limits.flatMap(({ pageSize, limit }) => {
    const directory = place('hugetlb');
    const last = version === 2 ? 'max' : 'limit_in_bytes';
    const names = [`hugetlb.${pageSize}.${last}`, `hugetlb.${pageSize}.rsvd.${last}`];
    // Reservations are limited as well where the kernel can (5.7).
    return names
      .filter((name, index) => index === 0 || existsSync(join(directory, name)))
      .map((name) => ({ file: join(directory, name), value: String(limit) }));
  });
}
