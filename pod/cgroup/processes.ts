import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../native/errno.ts';
import { readText } from './files.ts';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from './hierarchy.ts';

/** A container may make cgroups of its own; beyond so many nobody counts. */
const MAX_CGROUPS = 1000;

/** Pids in a cgroup and in those below it, from one tree; at most a thousand cgroups are looked at. Empty when it is gone. */
export function processesBelow(path: string, hierarchy: CgroupHierarchy = nodeHierarchy()): number[] {
  const top = controllerDirectory(hierarchy, hierarchy.version === 2 ? '' : 'memory', path);
  if (top === undefined) return [];
  const pids: number[] = [];
  const todo = [top];
  for (let seen = 0; todo.length > 0 && seen < MAX_CGROUPS; seen++) {
    const directory = todo.pop()!;
    for (const line of readText(directory, 'cgroup.procs')?.split('\n') ?? [])
      if (Number(line) > 0) pids.push(Number(line));
    todo.push(...directoriesIn(directory));
  }
  return pids;
}

/** A directory of cgroups has as many links as it has directories, and two more (kernfs): most need no listing. */
const LINKS_WITHOUT_CHILDREN = 2;

function directoriesIn(directory: string): string[] {
  try {
    if (statSync(directory).nlink === LINKS_WITHOUT_CHILDREN) return [];
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}
