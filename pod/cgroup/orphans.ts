import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../native/errno.ts';
import { nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

/**
 * Paths below the trees' roots of the cgroups that belong to the sandbox or container `id`, wherever their parents
 * are: for recovery, when the record that named them cannot be read. Reads the directories of every tree.
 */
export function cgroupsNamed(id: string, hierarchy: CgroupHierarchy = nodeHierarchy()): string[] {
  const names = new Set([id, `berth-${id}`, `berth-${id}.scope`]);
  return [...new Set(hierarchy.trees.flatMap((tree) => namedBelow(tree, '/', names)))];
}

function namedBelow(tree: string, path: string, names: ReadonlySet<string>): string[] {
  let entries;
  try {
    entries = readdirSync(join(tree, path), { withFileTypes: true });
  } catch (error) {
    // Cgroups come and go while the tree is read.
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const below = join(path, name);
      return names.has(name) ? [below] : namedBelow(tree, below, names);
    });
}
