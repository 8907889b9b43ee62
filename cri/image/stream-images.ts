import type { StreamHandler } from '../handler.ts';
import { inChunks } from '../chunks.ts';
import { filterImages, imageToWire } from '../convert/image.ts';

/** The same images as the plain list, in parts of bounded size: no crowd is too large for it. */
export const streamImages: StreamHandler<'StreamImages'> = function* ({ images }, { filter }) {
  for (const part of inChunks(filterImages(images, filter), imageToWire)) yield { images: part };
};
