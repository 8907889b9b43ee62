import { posix } from 'node:path';
import { Fault } from '../../ground/fault.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/**
 * The path below the trees' roots that a cgroup parent means. The kubelet spells it as a path with the cgroupfs
 * driver (`/kubepods/burstable/pod1`) and as a slice with the systemd driver (`kubepods-burstable-pod1.slice`, which
 * lies at `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice`: systemd.slice(5)). A slice's name
 * means that place with either driver; a path means no slice unless it is where the slice lies.
 *
 * Throws `invalid` for the root itself, for paths that leave it, and for names that systemd would not take.
 */
export function parentPath(driver: CgroupDriver, parent: string): string {
  if (driver === 'cgroupfs') return isSliceName(parent) ? slicePath(parent) : plainPath(parent);
  const path = slicePath(posix.basename(parent));
  if (isSliceName(parent) || posix.normalize(`/${parent}`) === path) return path;
  throw new Fault('invalid', `The cgroup parent ${JSON.stringify(parent)} is not where its slice lies`, {
    hint: `with the systemd cgroup driver that slice is ${path}`,
  });
}

function isSliceName(parent: string): boolean {
  return parent.endsWith('.slice') && !parent.includes('/');
}

/** Where a container's cgroup lies below the trees' roots. */
export function containerCgroup(driver: CgroupDriver, parent: string, id: string): string {
  return posix.join(parentPath(driver, parent), driver === 'systemd' ? `berth-${id}.scope` : id);
}

/** The same cgroup as config.json names it (config-linux.md, "Cgroups Path"): `slice:prefix:name` for systemd. */
export function ociCgroupsPath(driver: CgroupDriver, parent: string, id: string): string {
  const path = containerCgroup(driver, parent, id);
  return driver === 'systemd' ? `${posix.basename(parent)}:berth:${id}` : path;
}

function plainPath(parent: string): string {
  const path = posix.normalize(`/${parent}`).replace(/\/$/, '');
  if (path === '' || parent.includes('\0') || parent.split('/').includes('..'))
    throw new Fault('invalid', `The cgroup parent ${JSON.stringify(parent)} is not a path below the root`);
  return path;
}

function slicePath(slice: string): string {
  const name = slice.slice(0, -'.slice'.length);
  if (!slice.endsWith('.slice') || !/^[A-Za-z0-9:_.\\@]+(-[A-Za-z0-9:_.\\@]+)*$/.test(name))
    throw new Fault('invalid', `The cgroup parent ${JSON.stringify(slice)} is not the name of a slice`, {
      hint: 'with the systemd cgroup driver it reads like kubepods-burstable-pod1.slice',
    });
  const parts = name.split('-');
  return `/${parts.map((_part, last) => `${parts.slice(0, last + 1).join('-')}.slice`).join('/')}`;
}
