import { posix } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { MountConfig } from '../config.ts';
import type { SpecInput } from './input.ts';
import type { OciMount } from './oci-spec.ts';
import { submountsOf } from '../userns/submounts.ts';

/** The mounts, and the root's propagation that they need (config-linux.md, "Rootfs Mount Propagation"). */
export interface MountPlan {
  mounts: OciMount[];
  rootfsPropagation?: 'rslave' | 'rshared';
}

/**
 * The container's mounts in the order in which they are made: the file systems that every container has, less those
 * that the caller brings its own for; then the pod's files and the caller's mounts, shallow paths before deep ones,
 * so that no mount hides another.
 *
 * Throws `invalid` for paths that cannot be mounted and `unimplemented` for what the handler cannot do (recursive
 * read-only) or Berth does not serve (id-mapped mounts).
 */
export function mountsOf(input: SpecInput): MountPlan {
  const { container } = input;
  const asked = [
    ...container.mounts.map((mount) => callersMount(mount, input)),
    ...input.anonymousVolumes.map(anonymousMount),
  ];
  const paths = new Set(asked.map((mount) => mount.destination));
  const below = input.nodeMounts === undefined ? [] : submountsOf(asked, input.nodeMounts);
  const binds = [...asked, ...below, ...podFiles(input).filter((mount) => !paths.has(mount.destination))];
  const taken = new Set(binds.map((mount) => mount.destination));
  const base = baseMounts(input).filter(
    ({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  );
  return {
    mounts: [...base, ...binds.sort((a, b) => depth(a.destination) - depth(b.destination))],
    rootfsPropagation: rootPropagation(container.mounts),
  };
}

function baseMounts(input: SpecInput): OciMount[] {
  const write = input.container.security.privileged ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    sysfs(input, write),
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', write],
    },
  ];
}

/**
 * A sysfs shows the network namespace of who mounts it, and only the user namespace that owns that one may do so: with
 * the node's network a pod with a user namespace gets the node's own sysfs, with all that is mounted below it, since
 * the kernel does not let it uncover what lies beneath.
 */
function sysfs({ userns, namespaces }: SpecInput, write: 'rw' | 'ro'): OciMount {
  const options = ['nosuid', 'noexec', 'nodev', write];
  if (userns === undefined || namespaces.net !== undefined)
    return { destination: '/sys', type: 'sysfs', source: 'sysfs', options };
  return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', ...options] };
}

/** /etc files follow the root's read-only flag; /dev/shm is always writable. */
function podFiles(input: SpecInput): OciMount[] {
  const { files, container } = input;
  const write = container.security.readonlyRootfs ? 'ro' : 'rw';
  const mounts: OciMount[] = [];
  const bind = (destination: string, source: string | undefined, ...options: string[]): void => {
    if (source !== undefined)
      mounts.push({ destination, type: 'bind', source, options: ['rbind', 'rprivate', ...options] });
  };
  bind('/etc/hostname', files.hostname, write);
  bind('/etc/hosts', files.hosts, write);
  bind('/etc/resolv.conf', files.resolvConf, write);
  bind('/dev/shm', files.shm, 'nosuid', 'noexec', 'nodev', 'rw');
  return mounts;
}

function callersMount(mount: MountConfig, input: SpecInput): OciMount {
  const subject = `mount of ${JSON.stringify(mount.containerPath)}`;
  if (mount.uidMappings.length > 0 || mount.gidMappings.length > 0)
    throw new Fault('unimplemented', 'Mounts with mapped ids are not served', { subject });
  if (mount.recursiveReadOnly && mount.image === undefined) checkRecursiveReadOnly(mount, input, subject);
  const source = sourceOf(mount, input, subject);
  for (const path of [mount.containerPath, source]) {
    if (!path.startsWith('/') || path.includes('\0'))
      throw new Fault('invalid', `The path ${JSON.stringify(path)} is not an absolute path`, { subject });
  }
  const destination = withoutTrailingSlash(posix.normalize(mount.containerPath));
  if (destination === '/')
    throw new Fault('invalid', 'The root itself cannot be a mount target', { subject });
  return {
    destination,
    type: 'bind',
    source,
    options:
      mount.image === undefined
        ? ['rbind', PROPAGATION[mount.propagation], accessOf(mount)]
        : ['rbind', 'rprivate', 'nosuid', 'nodev', 'ro'],
  };
}

/** An image has one tree without mounts below it: read-only is recursively read-only there, whatever the handler. */
function sourceOf(mount: MountConfig, input: SpecInput, subject: string): string {
  if (mount.image === undefined) return input.mountSources.get(mount.hostPath) ?? mount.hostPath;
  if (mount.propagation !== 'private')
    throw new Fault('invalid', 'A volume made of an image has to have private propagation', { subject });
  const source = input.imageVolumes.get(mount.containerPath);
  if (source === undefined)
    throw new Fault('internal', 'The image of this volume was not mounted', { subject });
  return source;
}

/** Writable even below a read-only root, as with containerd: that is what images declare volumes for. */
function anonymousMount({ destination, source }: { destination: string; source: string }): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', 'rprivate', 'rw'] };
}

/** `rro` makes what is mounted below read-only as well (config.md, "Linux mount options"). */
function accessOf(mount: MountConfig): string {
  if (mount.recursiveReadOnly) return 'rro';
  return mount.readonly ? 'ro' : 'rw';
}

/** What the CRI asks of a recursive read-only mount: that it is read-only, private, and that the handler can do it. */
function checkRecursiveReadOnly(mount: MountConfig, input: SpecInput, subject: string): void {
  if (!mount.readonly)
    throw new Fault('invalid', 'A recursive read-only mount has to be readonly as well', { subject });
  if (mount.propagation !== 'private')
    throw new Fault('invalid', 'A recursive read-only mount has to have private propagation', { subject });
  if (!input.handler.recursiveReadOnly)
    // The kubelet looks for the name in the text (cri-api, pkg/errors).
    throw new Fault(
      'unimplemented',
      'RROUnsupported: this handler cannot make mounts recursively read-only',
      {
        subject,
      },
    );
}

const PROPAGATION = {
  private: 'rprivate',
  'host-to-container': 'rslave',
  bidirectional: 'rshared',
} as const;

function rootPropagation(mounts: MountConfig[]): 'rslave' | 'rshared' | undefined {
  if (mounts.some((mount) => mount.propagation === 'bidirectional')) return 'rshared';
  if (mounts.some((mount) => mount.propagation === 'host-to-container')) return 'rslave';
  return undefined;
}

function depth(path: string): number {
  return path.split('/').length;
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
