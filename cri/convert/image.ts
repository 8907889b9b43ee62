import type { FilesystemUsage, ImageRecord, Images, PullAuth } from '../../image/images.ts';
import { systemClock } from '../../ground/clock.ts';
import type * as wire from '../proto/codec.js';

/** An image as lists and statuses carry it. A numeric user of its configuration is its uid, any other its username. */
export function imageToWire(image: ImageRecord): wire.Input<wire.Image> {
  const [user = ''] = image.config.user.split(':');
  const numeric = /^\d+$/.test(user);
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    size: image.size,
    uid: numeric ? { value: BigInt(user) } : undefined,
    username: numeric ? '' : user,
    spec: { image: image.repoTags[0] ?? image.repoDigests[0] ?? image.id },
    pinned: image.pinned,
  };
}

/** Credentials of a pull; undefined when the caller gives none. */
export function authFromWire(auth: wire.AuthConfig | null): PullAuth | undefined {
  if (auth === null) return undefined;
  return Object.values(auth).every((value) => value === '') ? undefined : auth;
}

/** The use of a file system, now. */
export function usageToWire(usage: FilesystemUsage): wire.Input<wire.FilesystemUsage> {
  return {
    timestamp: systemClock.nowNs(),
    fsId: { mountpoint: usage.mountpoint },
    usedBytes: { value: usage.usedBytes },
    inodesUsed: { value: usage.inodesUsed },
  };
}

/** All images, or those that a filter names: one or none. An empty filter names all. */
export function filterImages(images: Images, filter: wire.ImageFilter | null): ImageRecord[] {
  const name = filter?.image?.image ?? '';
  if (name === '') return images.list();
  const found = images.find(name);
  return found === undefined ? [] : [found];
}
