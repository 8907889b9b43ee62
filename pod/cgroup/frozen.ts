import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../native/errno.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

/**
 * Whether the processes of a cgroup stand still: it, or one above it, is frozen (v1: freezer.state, which shows what
 * is inherited too; v2: `frozen` in cgroup.events). False when there is no such cgroup or no freezer.
 */
export function cgroupFrozen(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): boolean {
  const directory = controllerDirectory(hierarchy, 'freezer', path);
  if (directory === undefined) return false;
  try {
    return hierarchy.version === 2
      ? /^frozen 1$/m.test(readFileSync(join(directory, 'cgroup.events'), 'utf8'))
      : readFileSync(join(directory, 'freezer.state'), 'utf8').trim() !== 'THAWED';
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}
