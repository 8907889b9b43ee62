import type { ContainerConfig, DeviceConfig, MountConfig } from '../../pod/config.ts';
import type { ContainerFilter, ContainerView } from '../../pod/pods.ts';
import type * as wire from '../proto/codec.js';
import {
  absolute,
  absoluteOrEmpty,
  filled,
  keyed,
  named,
  noNul,
  notForWindows,
  oneLine,
  refuse,
  required,
} from './check.ts';
import { imageSpecFromWire, imageSpecToWire } from './image-spec.ts';
import { CONTAINER_STATES, numberOf, PROPAGATIONS, signalName, signalNumberOnWire } from './names.ts';
import { resourcesFromWire, resourcesToWire } from './resources.ts';
import { containerSecurityFromWire, idMappings } from './security.ts';

/** A container's configuration as a caller sends it. Throws Fault `invalid` that names the field. */
export function containerConfigFromWire(
  message: wire.ContainerConfig | null,
  path = 'config',
): ContainerConfig {
  const config = required(message, path);
  noNul(config, path);
  notForWindows(config.windows, `${path}.windows`);
  const { name, attempt } = required(config.metadata, `${path}.metadata`);
  return {
    metadata: { name: oneLine(filled(name, `${path}.metadata.name`), `${path}.metadata.name`), attempt },
    image: imageSpecFromWire(config.image, `${path}.image`),
    command: config.command,
    args: config.args,
    workingDir: absoluteOrEmpty(config.workingDir, `${path}.workingDir`),
    envs: envs(config.envs, `${path}.envs`),
    mounts: config.mounts.map((mount, index) => mountFromWire(mount, `${path}.mounts[${index}]`)),
    devices: config.devices.map((device, index) => deviceFromWire(device, `${path}.devices[${index}]`)),
    cdiDevices: config.CDIDevices.map((device, index) =>
      filled(device.name, `${path}.CDI_devices[${index}].name`),
    ),
    labels: keyed(config.labels, `${path}.labels`),
    annotations: keyed(config.annotations, `${path}.annotations`),
    logPath: logPath(config.logPath, `${path}.logPath`),
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    resources: resourcesFromWire(config.linux?.resources ?? null, `${path}.linux.resources`),
    security: containerSecurityFromWire(
      config.linux?.securityContext ?? null,
      `${path}.linux.securityContext`,
    ),
    stopSignal: signalName(config.stopSignal, `${path}.stopSignal`),
  };
}

/**
 * The environment. The values are copied into one block of their own: as they arrive they are windows into a network
 * buffer many times their size, which would live as long as the container.
 */
function envs(list: wire.KeyValue[], path: string): ContainerConfig['envs'] {
  const block = new Uint8Array(list.reduce((sum, { value }) => sum + value.length, 0));
  let at = 0;
  return list.map(({ key, value }, index) => {
    if (key === '' || key.includes('='))
      refuse(`${path}[${index}].key`, `is ${JSON.stringify(key)}: that is no name`);
    if (value.includes(0)) refuse(`${path}[${index}].value`, `(${key}) holds a NUL byte`);
    block.set(value, at);
    const copy = block.subarray(at, at + value.length);
    at += value.length;
    return { key, value: copy };
  });
}

function mountFromWire(mount: wire.Mount, path: string): MountConfig {
  const image =
    (mount.image?.image ?? '') === '' ? undefined : imageSpecFromWire(mount.image, `${path}.image`);
  if (image !== undefined && mount.hostPath !== '') refuse(path, 'has both a hostPath and an image');
  if (mount.recursiveReadOnly && !mount.readonly)
    refuse(`${path}.recursiveReadOnly`, 'is set without readonly');
  if (mount.recursiveReadOnly && mount.propagation !== 0)
    refuse(`${path}.recursiveReadOnly`, 'is set with a propagation other than private');
  return {
    containerPath: absolute(mount.containerPath, `${path}.containerPath`),
    hostPath: image === undefined ? absolute(mount.hostPath, `${path}.hostPath`) : '',
    readonly: mount.readonly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: named(PROPAGATIONS, mount.propagation, `${path}.propagation`),
    recursiveReadOnly: mount.recursiveReadOnly,
    uidMappings: idMappings(mount.uidMappings, `${path}.uidMappings`),
    gidMappings: idMappings(mount.gidMappings, `${path}.gidMappings`),
    image,
    imageSubPath: inside(mount.imageSubPath, `${path}.imageSubPath`),
  };
}

function deviceFromWire(device: wire.Device, path: string): DeviceConfig {
  if (!/^[rwm]*$/.test(device.permissions))
    refuse(
      `${path}.permissions`,
      `is ${JSON.stringify(device.permissions)}: it has to consist of r, w and m`,
    );
  const hostPath = absolute(device.hostPath, `${path}.hostPath`);
  return {
    containerPath: absoluteOrEmpty(device.containerPath, `${path}.containerPath`) || hostPath,
    hostPath,
    permissions: device.permissions,
  };
}

/** The log file stands below the pod's log directory, nowhere else. */
function logPath(text: string, path: string): string {
  return oneLine(inside(text, path), path);
}

/** A relative path that does not leave where it starts, or nothing. */
function inside(text: string, path: string): string {
  if (text.startsWith('/')) refuse(path, `is ${JSON.stringify(text)}: it has to be a relative path`);
  return text.split('/').includes('..') ? refuse(path, `is ${JSON.stringify(text)}: it leads outside`) : text;
}

/** A filter of containers; undefined when the caller wants all. */
export function containerFilterFromWire(filter: wire.ContainerFilter | null): ContainerFilter | undefined {
  if (filter === null) return undefined;
  const { id, podSandboxId, state, labelSelector } = filter;
  return {
    id: id === '' ? undefined : id,
    sandboxId: podSandboxId === '' ? undefined : podSandboxId,
    state: state === null ? undefined : named(CONTAINER_STATES, state.state, 'filter.state'),
    labels: labelSelector,
  };
}

/** A container as lists carry it. */
export function containerToWire(container: ContainerView): wire.Input<wire.Container> {
  const { metadata, image, labels, annotations } = container.config;
  return {
    id: container.id,
    podSandboxId: container.sandboxId,
    metadata,
    image: imageSpecToWire(image),
    imageRef: container.imageRef,
    imageId: container.imageId,
    state: numberOf(CONTAINER_STATES, container.state),
    createdAt: container.createdAtNs,
    labels,
    annotations,
  };
}

/** A container as its status carries it. */
export function containerStatusToWire(container: ContainerView): wire.Input<wire.ContainerStatus> {
  const { metadata, image, labels, annotations, mounts } = container.config;
  const { resources } = container;
  return {
    id: container.id,
    metadata,
    state: numberOf(CONTAINER_STATES, container.state),
    createdAt: container.createdAtNs,
    startedAt: container.startedAtNs,
    finishedAt: container.finishedAtNs,
    exitCode: container.exitCode,
    image: imageSpecToWire(image),
    imageRef: container.imageRef,
    imageId: container.imageId,
    reason: container.reason,
    message: container.message,
    labels,
    annotations,
    mounts: mounts.map(mountToWire),
    logPath: container.logPath,
    resources: resources === undefined ? undefined : { linux: resourcesToWire(resources) },
    user: { linux: container.user },
    stopSignal: signalNumberOnWire(container.stopSignal),
  };
}

function mountToWire(mount: MountConfig): wire.Input<wire.Mount> {
  return {
    ...mount,
    propagation: numberOf(PROPAGATIONS, mount.propagation),
    image: mount.image === undefined ? undefined : imageSpecToWire(mount.image),
  };
}
