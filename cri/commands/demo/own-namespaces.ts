import { readlinkSync } from 'node:fs';
import { linkUp, LOOPBACK_INDEX, Rtnl } from '../../../native/netlink.ts';
import { mounts, mountTmpfs, umount } from '../../../native/mount.ts';
import { findExecutable } from '../../../native/spawn.ts';

/** Tells the second life of the process where the first one stood. */
const LEFT = 'BERTH_DEMO_LEFT_NAMESPACE';

/**
 * Returns in namespaces of its own: replaces this process by itself inside `unshare`, with the same arguments
 * (execve, so that terminal, pid and exit code stay what they are).
 */
export function enterOwnNamespaces(): void {
  const here = readlinkSync('/proc/self/ns/net');
  const left = process.env[LEFT];
  if (left !== undefined && left !== here) return;
  const unshare = findExecutable('unshare')!;
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const argv = ['unshare', '--mount', '--net', '--propagation', 'private', '--', ...self];
  process.execve!(unshare, argv, { ...process.env, [LEFT]: here });
}

/** Makes the new namespaces fit for a node: loopback up, and the v2 tree of a hybrid host out of crun's sight. */
export function prepareInside(): void {
  using rtnl = new Rtnl();
  rtnl.exec([linkUp(LOOPBACK_INDEX)]);
  const all = mounts();
  const hybrid = all.some(({ fstype }) => fstype === 'cgroup');
  const unified = all.filter(({ fstype }) => fstype === 'cgroup2');
  for (const { target } of hybrid ? unified : []) {
    umount(target);
    // What crun writes to that path all the same must not land in the host's own tmpfs below.
    mountTmpfs(target, 'mode=755');
  }
}
