import { readNumber, readTable } from './files.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';
import { podOfContainer } from './scope.ts';

/**
 * How often the kernel killed a process of this cgroup for want of memory, whoever's limit was met; undefined when the
 * cgroup is gone. The kernel counts before it kills, so that whoever sees the death sees the count.
 */
export function oomKills(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): number | undefined {
  const directory = controllerDirectory(hierarchy, 'memory', path);
  // v1 counts the victims of this very cgroup; v2 those of the cgroups below as well.
  const file = hierarchy.version === 2 ? 'memory.events' : 'memory.oom_control';
  const count = readTable(directory, file)?.get('oom_kill');
  return count === undefined ? undefined : Number(count);
}

/** Whose limit of memory was met when the kernel killed in the cgroup of a container. */
export type OomPlace = 'container' | 'pod' | 'node';

/** A limit of v1 counts as met when the highest use came this near: the kernel takes memory in such portions. */
const PORTION_BYTES = 64n * 4096n;

/**
 * Where memory ran out for a container's cgroup. v2 has events of each cgroup's own limit (memory.events.local). On v1
 * only the highest use so far tells that a limit was met (memory.failcnt stays 0 on newer kernels), and that may have
 * been without harm: undefined when both limits were met, and when a cgroup of v2 is gone.
 */
export function oomPlace(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): OomPlace | undefined {
  const met = (cgroup: string): boolean | undefined => {
    const directory = controllerDirectory(hierarchy, 'memory', cgroup);
    if (hierarchy.version === 2) {
      const events = readTable(directory, 'memory.events.local');
      return events === undefined ? undefined : (events.get('oom') ?? 0n) > 0n;
    }
    return ['memory', 'memory.memsw'].some((prefix) => {
      const limit = readNumber(directory, `${prefix}.limit_in_bytes`);
      const highest = readNumber(directory, `${prefix}.max_usage_in_bytes`) ?? 0n;
      return limit !== undefined && highest + PORTION_BYTES >= limit;
    });
  };
  const [container, pod] = [met(path), met(podOfContainer(path))];
  if (container) return pod && hierarchy.version === 1 ? undefined : 'container';
  if (pod) return 'pod';
  // systemd has removed one of them: nobody knows.
  return container === undefined || pod === undefined ? undefined : 'node';
}
