import { mounts, type MountInfo } from '../native/mount.ts';

/** Where the probe's container has the node's /sys, whose submounts (cgroup trees at least) every node has. */
export const RECURSIVE_PROBE = '/recursive';

/** The mount that the probe asks for: `rro` is the OCI runtime specification's word (config.md, "Linux mount options"). */
export const RECURSIVE_PROBE_MOUNT = {
  destination: RECURSIVE_PROBE,
  type: 'bind',
  source: '/sys',
  options: ['rbind', 'rprivate', 'rro'],
};

/**
 * Whether the runtime made a mount recursively read-only: what can be written below the node's /sys cannot be below the
 * container's. A runtime that does not know `rro` may pass over it without a word, so the mounts themselves are looked
 * at. `pid` is the first process of a created container with `RECURSIVE_PROBE_MOUNT`.
 */
export function madeRecursiveReadOnly(pid: number): boolean {
  return recursiveReadOnly(mounts(), mounts(`/proc/${pid}`));
}

/** The same for the mounts of node and container. False when the node has nothing to tell it by. */
export function recursiveReadOnly(node: MountInfo[], container: MountInfo[]): boolean {
  const writable = (list: MountInfo[], top: string): string[] =>
    list
      .filter(({ target, options }) => target.startsWith(`${top}/`) && options.split(',').includes('rw'))
      .map(({ target }) => target.slice(top.length));
  const seen = new Set(
    container
      .filter(({ target }) => target.startsWith(`${RECURSIVE_PROBE}/`))
      .map(({ target }) => target.slice(RECURSIVE_PROBE.length)),
  );
  const telling = writable(node, '/sys').filter((path) => seen.has(path));
  return telling.length > 0 && writable(container, RECURSIVE_PROBE).length === 0;
}
