import { chmodSync, chownSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { Fault } from '../ground/fault.ts';
import type { ImageConfig } from '../image/images.ts';
import { isErrno } from '../native/errno.ts';
import { O, OwnedFd } from '../native/fd.ts';
import { openIn } from '../native/openat2.ts';
import { run } from '../native/run.ts';
import type { ContainerRecord } from './container.ts';
import type { Parts } from './parts.ts';

/** A directory of its own that the image declares (`VOLUME`), and where it lies on the node. */
export interface AnonymousVolume {
  destination: string;
  source: string;
}

/** Copying what an image holds takes no longer on a disk that works. */
const COPY_TIMEOUT_MS = 200_000;
/** The runtime mounts these itself: no image may put something over them. */
const KERNEL_PLACES = /^\/(proc|sys)(\/|$)/;

/**
 * The volumes that an image declares (OCI image specification, config.md, `Volumes`) and the caller does not mount
 * something at: a directory beside the container's writable layer that starts with the image's content, owner and mode
 * at that path, and goes away with the container. As containerd does it.
 *
 * `owner`: the pod's root, where that is not the node's. The root file system is mounted by now; paths are resolved inside it. Throws `invalid` for a path that is none.
 */
export async function makeAnonymousVolumes(
  parts: Parts,
  record: ContainerRecord,
  image: ImageConfig,
  owner: { uid: number; gid: number } | undefined,
  signal: AbortSignal,
): Promise<AnonymousVolume[]> {
  const rootfs = parts.paths.rootfs(record.id);
  const made: AnonymousVolume[] = [];
  if (image.volumes.length === 0) return made;
  // As the OCI runtime will find them: a link in the image must not put a volume over what the caller mounts.
  const mounts = record.config.mounts.map(({ containerPath }) => ({
    containerPath: placeIn(rootfs, containerPath),
  }));
  const volumes = image.volumes.map((path) => placeIn(rootfs, path));
  for (const destination of wantedVolumes(volumes, mounts)) {
    const source = parts.images.snapshots.volume(record.id, String(made.length));
    made.push({ destination, source });
    if (owner !== undefined) chownSync(source, owner.uid, owner.gid);
    await fill(parts, source, rootfs, destination, signal);
  }
  return made;
}

/** Which of an image's volumes are made: in order, each once, without those that the caller mounts at. */
export function wantedVolumes(volumes: string[], mounts: { containerPath: string }[]): string[] {
  const plain = (path: string): string => posix.join('/', path).replace(/(?<=.)\/$/, '');
  const taken = new Set(mounts.map(({ containerPath }) => plain(containerPath)));
  const wanted = new Set(volumes.map(plain));
  for (const path of wanted) {
    if (path === '/' || path.includes('\0') || KERNEL_PLACES.test(path))
      throw new Fault(
        'invalid',
        `The image declares a volume at ${JSON.stringify(path)}, which cannot be one`,
      );
  }
  return [...wanted].filter((path) => !taken.has(path)).sort();
}

/** Where a path inside the root leads; the path itself when nothing is there yet. */
function placeIn(rootfs: string, path: string): string {
  using place = openedIn(rootfs, path);
  using root = openedIn(rootfs, '/');
  if (place === undefined || root === undefined) return path;
  const real = ({ fd }: OwnedFd): string => readlinkSync(`/proc/self/fd/${fd}`);
  return posix.join('/', posix.relative(real(root), real(place)));
}

function openedIn(rootfs: string, path: string): OwnedFd | undefined {
  if (path.includes('\0')) return undefined;
  try {
    return new OwnedFd(openIn(rootfs, posix.join('/', path), O.PATH));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

async function fill(
  parts: Parts,
  volume: string,
  rootfs: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  using fd = openedIn(rootfs, path);
  if (fd === undefined) return;
  const stats = fstatSync(fd.fd);
  if (!stats.isDirectory()) return;
  chownSync(volume, stats.uid, stats.gid);
  chmodSync(volume, stats.mode & 0o7777);
  const from = readlinkSync(`/proc/self/fd/${fd.fd}`);
  if (readdirSync(from).length === 0) return;
  const { code, stderr, killed } = await run(parts.exits, {
    path: 'cp',
    argv: ['cp', '-a', '--reflink=auto', '-T', '--', from, volume],
    timeoutMs: COPY_TIMEOUT_MS,
    signal,
    drainMs: 0,
  });
  signal.throwIfAborted();
  if (code === 0) return;
  const why = killed === undefined ? stderr.toString().trim().split('\n').at(-1) : 'it took too long';
  throw new Fault('internal', `The image's content at ${path} could not be copied into its volume: ${why}`);
}
