import type { LinuxResources } from '../../pod/config.ts';
import type * as wire from '../proto/codec.js';
import { filled, keyed, oneLine, whole } from './check.ts';

/** -1 stands for "no limit" where the kernel has such a value. */
const UNLIMITED = -1;

/** Lowest and highest value of each number: cpu in microseconds and shares, memory in bytes. */
const BOUNDS = {
  cpuPeriod: [0, 1_000_000],
  cpuQuota: [UNLIMITED, Number.MAX_SAFE_INTEGER],
  cpuShares: [0, 262_144],
  memoryLimitInBytes: [UNLIMITED, Number.MAX_SAFE_INTEGER],
  memorySwapLimitInBytes: [UNLIMITED, Number.MAX_SAFE_INTEGER],
  oomScoreAdj: [-1000, 1000],
} as const satisfies Partial<Record<keyof LinuxResources, readonly [number, number]>>;

/** Resources as a caller asks for them; undefined when it asks for none. Throws Fault `invalid`. */
export function resourcesFromWire(
  resources: wire.LinuxContainerResources | null,
  path: string,
): LinuxResources | undefined {
  if (resources === null) return undefined;
  const number = (key: keyof typeof BOUNDS): number =>
    whole(resources[key], `${path}.${key}`, ...BOUNDS[key]);
  return {
    cpuPeriod: number('cpuPeriod'),
    cpuQuota: number('cpuQuota'),
    cpuShares: number('cpuShares'),
    memoryLimitInBytes: number('memoryLimitInBytes'),
    memorySwapLimitInBytes: number('memorySwapLimitInBytes'),
    oomScoreAdj: number('oomScoreAdj'),
    cpusetCpus: oneLine(resources.cpusetCpus, `${path}.cpusetCpus`),
    cpusetMems: oneLine(resources.cpusetMems, `${path}.cpusetMems`),
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }, index) => ({
      pageSize: filled(pageSize, `${path}.hugepageLimits[${index}].pageSize`),
      limit,
    })),
    unified: keyed(resources.unified, `${path}.unified`),
  };
}

/** The same on its way back. */
export function resourcesToWire(resources: LinuxResources): wire.Input<wire.LinuxContainerResources> {
  return resources;
}
