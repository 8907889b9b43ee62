import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../../native/errno.ts';
import { mounts } from '../../../native/mount.ts';
import { Rtnl } from '../../../native/netlink.ts';

const KINDS = ['net', 'ipc', 'uts', 'mnt', 'pid'];

/** How much of each thing that pods are made of exists around the demo's node. */
export interface Inventory {
  processes: number;
  namespaces: number;
  mounts: number;
  cgroups: number;
  links: number;
}

/**
 * Counts what is there: processes in the demo's mount namespace or in the cgroup `parent`, the namespaces that these
 * processes or a mount hold, mounts, cgroups below `parent`, network links.
 */
export function takeInventory(parent: string): Inventory {
  const pids = demoProcesses(parent);
  const all = mounts();
  const pinned = all.filter(({ fstype }) => fstype === 'nsfs').map(({ root }) => root);
  const held = pids.flatMap((pid) => KINDS.flatMap((kind) => namespaceOf(pid, kind) ?? []));
  using rtnl = new Rtnl();
  return {
    processes: pids.length,
    namespaces: new Set([...pinned, ...held]).size,
    mounts: all.length,
    cgroups: cgroupsBelow(parent).length,
    links: rtnl.links().length,
  };
}

/** Pids of all processes in this process' mount namespace or in the cgroup `parent` and below, without this one. */
export function demoProcesses(parent: string): number[] {
  const own = namespaceOf(process.pid, 'mnt');
  const members = new Set(cgroupsBelow(parent).flatMap(membersOf));
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => pid !== process.pid && (members.has(pid) || namespaceOf(pid, 'mnt') === own));
}

/** Directories of the cgroup `parent` and of those below it, in every hierarchy, deepest first. */
export function cgroupsBelow(parent: string): string[] {
  const hierarchies = mounts().filter(({ fstype }) => fstype === 'cgroup' || fstype === 'cgroup2');
  return hierarchies.flatMap(({ target }) => withAllBelow(join(target, parent)));
}

function withAllBelow(directory: string): string[] {
  try {
    return [...directoriesIn(directory).flatMap(withAllBelow), directory];
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function directoriesIn(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map((entry) => join(directory, entry.name));
}

function membersOf(cgroup: string): number[] {
  try {
    const text = readFileSync(join(cgroup, 'cgroup.procs'), 'latin1');
    return text.split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/** `net:[4026531840]`, or undefined when the process has ended. */
function namespaceOf(pid: number, kind: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EACCES')) return undefined;
    throw error;
  }
}
