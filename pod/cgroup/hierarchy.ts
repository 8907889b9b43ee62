import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { mounts, type MountInfo } from '../../native/mountinfo.ts';

/**
 * Where this node keeps its cgroups (cgroups(7)). On v1 each controller has a tree of its own; a tree may carry
 * several controllers (`cpu,cpuacct`) and systemd's has only a name. A hybrid node (v1 trees and a v2 mount beside
 * them) counts as v1: that is where its controllers are.
 */
export type CgroupHierarchy =
  | {
      version: 1;
      /** Mount points, one a tree. */
      trees: string[];
      /** Mount point by controller, `name=systemd` among them. */
      controllers: ReadonlyMap<string, string>;
      /** Mount point of the v2 tree of a hybrid node. It has none of our controllers, but runc makes cgroups in it. */
      hybrid?: string;
    }
  | { version: 2; trees: string[] };

const V1_CONTROLLERS = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
  'rdma',
  'misc',
];

/**
 * The hierarchy that these mounts show. When a tree is mounted twice the first mount counts; mounts of a part of a
 * tree do not. Throws `precondition` when no cgroup file system is mounted.
 */
export function hierarchyOf(mounted: MountInfo[]): CgroupHierarchy {
  const controllers = new Map<string, string>();
  const trees: string[] = [];
  for (const mount of mounted) {
    if (mount.fstype !== 'cgroup' || mount.root !== '/') continue;
    const options = mount.superOptions.split(',');
    const names = options.filter((name) => V1_CONTROLLERS.includes(name) || name.startsWith('name='));
    if (names.length === 0 || names.some((name) => controllers.has(name))) continue;
    trees.push(mount.target);
    for (const name of names) controllers.set(name, mount.target);
  }
  const unified = mounted.find((mount) => mount.fstype === 'cgroup2' && mount.root === '/');
  if (controllers.has('memory')) {
    return { version: 1, trees, controllers, ...(unified === undefined ? {} : { hybrid: unified.target }) };
  }
  if (unified !== undefined) return { version: 2, trees: [unified.target] };
  if (trees.length > 0) return { version: 1, trees, controllers };
  throw new Fault('precondition', 'No cgroup file system is mounted', {
    hint: 'mount one on /sys/fs/cgroup',
  });
}

let found: CgroupHierarchy | undefined;

/** This node's hierarchy as the daemon's mount namespace shows it; looked up once. */
export function nodeHierarchy(): CgroupHierarchy {
  found ??= hierarchyOf(mounts());
  return found;
}

/** The directory of a cgroup in the tree of a controller; undefined when the controller is not there. */
export function controllerDirectory(
  hierarchy: CgroupHierarchy,
  controller: string,
  path: string,
): string | undefined {
  const tree = hierarchy.version === 2 ? hierarchy.trees[0] : hierarchy.controllers.get(controller);
  // Put together by hand: statistics of a crowded node ask for this thousands of times.
  return tree === undefined ? undefined : `${tree}${path.startsWith('/') ? '' : '/'}${path}`;
}

/** Every tree in which a cgroup of ours can be: what is made has to be removed from all of them. */
export function allTrees(hierarchy: CgroupHierarchy): string[] {
  const hybrid = hierarchy.version === 1 ? hierarchy.hybrid : undefined;
  return hybrid === undefined ? hierarchy.trees : [...hierarchy.trees, hybrid];
}

/** The directories of a cgroup, one a tree. */
export function cgroupDirectories(hierarchy: CgroupHierarchy, path: string): string[] {
  return hierarchy.trees.map((tree) => join(tree, path));
}
