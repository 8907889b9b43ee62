import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { cgroupHierarchies } from './node-space.ts';

/*
 * A tree of cgroup v1 outlives its last mount for as long as it holds a cgroup, and keeps its controller from whoever
 * wants it next: cgroup v2, or a tree that joins it with another.
 */

/** The controllers of v1 trees that live although this machine mounts them nowhere (/proc/cgroups). */
export function unmountedTrees(): string[] {
  const mounted = new Set(cgroupHierarchies().map((path) => basename(path)));
  const alive = readFileSync('/proc/cgroups', 'utf8').matchAll(/^(\w+)\t[1-9]\d*\t/gm);
  return [...alive].map(([, name]) => name!).filter((name) => !mounted.has(name));
}

/**
 * Removes what tests left in such trees, below `berth…` and empty of processes, in a mount namespace that ends with it.
 * The kernel then lets go of a tree when the last of its removed cgroups has died, which may take seconds.
 */
export function freeUnmountedTrees(): void {
  for (const controller of unmountedTrees()) {
    const script = `mount -t tmpfs tree /mnt && mkdir /mnt/t && mount -t cgroup -o ${controller} tree /mnt/t &&
      find /mnt/t -mindepth 1 -depth -type d -path '/mnt/t/berth*' -exec rmdir {} +`;
    spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
  }
}
