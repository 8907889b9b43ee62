import type { UnaryHandler } from '../handler.ts';
import { usageToWire } from '../convert/image.ts';

/** What images and writable layers take. Both lie in one file system, which kubelet knows by the same mount point. */
export const imageFsInfo: UnaryHandler<'ImageFsInfo'> = async (rooms) => {
  const { images, containers } = await rooms.images.usage();
  return { imageFilesystems: [usageToWire(images)], containerFilesystems: [usageToWire(containers)] };
};
