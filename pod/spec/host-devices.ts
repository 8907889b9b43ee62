import { lstatSync, readdirSync, realpathSync, statSync, type Stats } from 'node:fs';
import { join, posix } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import type { ContainerConfig, DeviceConfig } from '../config.ts';
import { deviceNumbers } from './device-numbers.ts';
import type { GrantedDevice } from './input.ts';

/** Parts of /dev that are file systems or belong to one process: they are not the node's devices. */
const NOT_DEVICES = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', '.lxc', '.lxd-mounts', '.udev']);
/** A directory that a pod names may not hold more than this. */
const MAX_DEVICES = 4096;

/** What a container gets: every device of the node when it is privileged, else those that it asks for. */
export function hostDevices(config: Pick<ContainerConfig, 'devices' | 'security'>): GrantedDevice[] {
  if (!config.security.privileged) return requestedDevices(config.devices);
  const all = nodeDevices();
  const known = new Set(all.map(({ path }) => path));
  return [...all, ...requestedDevices(config.devices).filter(({ path }) => !known.has(path))];
}

/** Every character and block device below /dev, for privileged containers, at its own path and with all rights. */
export function nodeDevices(root = '/dev'): GrantedDevice[] {
  return devicesBelow(root, root, 'rwm');
}

/**
 * The devices that a container asks for (CRI Device): one device, or all in a directory, under their path in the
 * container. Only /dev is looked at, which no dead file server can hang. Throws `invalid` for a path that is no
 * device, lies outside /dev, or has unknown permissions.
 */
export function requestedDevices(asked: DeviceConfig[]): GrantedDevice[] {
  return asked.flatMap((device) => {
    const subject = `device ${JSON.stringify(device.hostPath)}`;
    if (!/^[rwm]{1,3}$/.test(device.permissions))
      throw new Fault(
        'invalid',
        `The permissions ${JSON.stringify(device.permissions)} are not made of r, w and m`,
        {
          subject,
        },
      );
    if (!device.containerPath.startsWith('/'))
      throw new Fault(
        'invalid',
        `The container's path ${JSON.stringify(device.containerPath)} is not absolute`,
        { subject },
      );
    if (!posix.normalize(device.hostPath).startsWith('/dev/'))
      throw new Fault('invalid', 'A device has to lie below /dev', { subject });
    return devicesAt(device, subject);
  });
}

function devicesAt(device: DeviceConfig, subject: string): GrantedDevice[] {
  let path: string;
  let stats: Stats;
  try {
    path = realpathSync(device.hostPath);
    stats = statSync(path);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP'))
      throw new Fault('invalid', 'There is no such device', { subject, cause });
    throw cause;
  }
  if (!path.startsWith('/dev/')) throw new Fault('invalid', `It leads out of /dev to ${path}`, { subject });
  if (stats.isDirectory()) return devicesBelow(path, device.containerPath, device.permissions);
  const found = described(stats, device.containerPath, device.permissions);
  if (found === undefined) throw new Fault('invalid', 'It is not a device', { subject });
  return [found];
}

function devicesBelow(directory: string, target: string, access: string): GrantedDevice[] {
  const devices: GrantedDevice[] = [];
  const walk = (from: string, to: string): void => {
    for (const name of readdirSync(from)) {
      if (NOT_DEVICES.has(name)) continue;
      const stats = lstatOrGone(join(from, name));
      if (stats === undefined) continue;
      if (stats.isDirectory()) walk(join(from, name), join(to, name));
      else if (!stats.isFIFO()) {
        const found = described(stats, join(to, name), access);
        if (found !== undefined) devices.push(found);
      }
      if (devices.length > MAX_DEVICES)
        throw new Fault('exhausted', `There are more than ${MAX_DEVICES} devices in ${directory}`);
    }
  };
  walk(directory, target);
  return devices;
}

function described(stats: Stats, path: string, access: string): GrantedDevice | undefined {
  const type = stats.isCharacterDevice()
    ? 'c'
    : stats.isBlockDevice()
      ? 'b'
      : stats.isFIFO()
        ? 'p'
        : undefined;
  if (type === undefined) return undefined;
  const common = { path, fileMode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, access };
  if (type === 'p') return { ...common, type };
  return { ...common, type, ...deviceNumbers(stats.rdev) };
}

function lstatOrGone(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
