import type { UnaryHandler } from '../handler.ts';
import { usageToWire } from '../convert/image.ts';

/** What images and writable layers take. Both lie in one file system. */
export const imageFsInfo: UnaryHandler<'ImageFsInfo'> = async ({ images }) => {
  const usage = usageToWire(await images.usage());
  return { imageFilesystems: [usage], containerFilesystems: [usage] };
};
