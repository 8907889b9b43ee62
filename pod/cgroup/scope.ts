import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { isErrno } from '../../native/errno.ts';
import { nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

/*
 * With the systemd driver a container's cgroup is a scope, whose attributes are systemd's: it writes what it knows of
 * them whenever it looks at its units anew. So crun makes one cgroup more below the scope on v2 (`container`, see
 * crun(1), run.oci.systemd.subgroup), has the limits there, and systemd leaves that alone. runc uses the scope itself
 * and tells systemd of the limits.
 */

/**
 * Where the container's first process is, when that is below `path`, else `path`. Its limits and its members are there.
 */
export function placeOfContainer(
  path: string,
  pid: number,
  hierarchy: CgroupHierarchy = nodeHierarchy(),
): string {
  if (hierarchy.version === 1) return path;
  try {
    return placeIn(path, readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return path; // it has ended already
    throw error;
  }
}

/** The same from the text of /proc/<pid>/cgroup (cgroups(7)). */
export function placeIn(path: string, cgroups: string): string {
  const own = /^0::(.*)$/m.exec(cgroups)?.[1];
  return own?.startsWith(`${path}/`) === true ? own : path;
}

/** The pod's cgroup, from a container's place in it. */
export function podOfContainer(path: string): string {
  const above = posix.dirname(path);
  return isScope(above) ? posix.dirname(above) : above;
}

/** Whether systemd writes the attributes of this very cgroup. */
export function isScope(path: string): boolean {
  return path.endsWith('.scope');
}
