import { fstatSync, mkdirSync, readdirSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import type { ImageRecord } from '../image/images.ts';
import { isErrno } from '../native/errno.ts';
import { O, OwnedFd } from '../native/fd.ts';
import { openIn } from '../native/openat2.ts';
import type { ContainerConfig, MountConfig } from './config.ts';
import type { ContainerRecord } from './container.ts';
import type { Parts } from './parts.ts';

/** The kubelet looks for the name at the beginning of the text (cri-api, pkg/errors). */
const FAILED = 'ImageVolumeMountFailed';

/**
 * Volumes made of images (CRI Mount.image): each image's layers as one read-only tree, mounted below the container's
 * bundle for as long as the container is there. Its snapshot record keeps the layers when the image is removed, and is
 * what recovery finds it by.
 *
 * Gives the source of each such mount by its path in the container, and writes what was found into the record: the
 * status reports the image's reference. In a pod with a user namespace (a file descriptor) their files belong to its
 * ids; with an SELinux `label` they have that. Throws `not-found` and `invalid` with the name that the kubelet knows.
 */
export function mountImageVolumes(
  parts: Parts,
  record: ContainerRecord,
  userNamespace?: number,
  label?: string,
): Map<string, string> {
  const sources = new Map<string, string>();
  record.config = {
    ...record.config,
    mounts: record.config.mounts.map((mount) => {
      if (mount.image === undefined) return mount;
      const image = findImage(parts, mount, mount.image.image);
      const name = volumeName(record.id, sources.size);
      const target = join(parts.paths.volumes(record.id), String(sources.size));
      mkdirSync(target, { recursive: true, mode: 0o711 });
      parts.images.snapshots.prepareView(name, image.layers);
      parts.images.snapshots.mount(name, target, userNamespace, label);
      sources.set(mount.containerPath, insideVolume(mount, target));
      return { ...mount, image: { ...mount.image, imageRef: image.repoDigests[0] ?? image.id } };
    }),
  };
  return sources;
}

/** Whether the container has such volumes. */
export function hasImageVolumes({ mounts }: Pick<ContainerConfig, 'mounts'>): boolean {
  return mounts.some(({ image }) => image !== undefined);
}

/** Takes a container's image volumes away. Finds nothing to do the second time; rejects while one is still mounted. */
export async function releaseImageVolumes(parts: Parts, id: string): Promise<void> {
  const { snapshots } = parts.images;
  const directory = parts.paths.volumes(id);
  for (const name of entriesOf(directory)) {
    await snapshots.unmount(join(directory, name));
    rmdirSync(join(directory, name));
  }
  for (const name of snapshots.list()) if (name.startsWith(`${id}-`)) snapshots.remove(name);
}

/** The id of the container that a snapshot belongs to: its own, or that of one of its volumes. */
export function ownerOfSnapshot(name: string): string {
  return name.split('-', 1)[0]!;
}

function volumeName(id: string, index: number): string {
  return `${id}-v${index}`;
}

function findImage(parts: Parts, mount: MountConfig, wanted: string): ImageRecord {
  const image = parts.images.find(wanted);
  if (image !== undefined) return image;
  throw new Fault(
    'not-found',
    `${FAILED}: the image ${JSON.stringify(wanted)} for ${mount.containerPath} is not on this node`,
    { hint: 'pull it first' },
  );
}

/**
 * The mounted tree, or the directory or file in it that the mount's sub-path names as a process with the tree as its
 * root would find it: no link of the image leads out of the image.
 */
function insideVolume({ imageSubPath, containerPath }: MountConfig, tree: string): string {
  if (imageSubPath === '') return tree;
  const subject = `the path ${JSON.stringify(imageSubPath)} of the image for ${containerPath}`;
  let place: number;
  try {
    place = openIn(tree, imageSubPath, O.PATH);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'))
      throw new Fault('internal', `${FAILED}: ${subject} cannot be opened: ${messageOf(error)}`, {
        cause: error,
      });
    throw new Fault('invalid', `${FAILED}: ${subject} does not exist`, { cause: error });
  }
  using fd = new OwnedFd(place);
  const stats = fstatSync(fd.fd);
  if (!stats.isDirectory() && !stats.isFile())
    throw new Fault('invalid', `${FAILED}: ${subject} is neither a directory nor a file`);
  return readlinkSync(`/proc/self/fd/${fd.fd}`);
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
