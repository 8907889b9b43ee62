import type { UnaryHandler } from '../handler.ts';
import { filterImages, imageToWire } from '../convert/image.ts';

/** All images, or the one that the filter names. */
export const listImages: UnaryHandler<'ListImages'> = ({ images }, { filter }) => ({
  images: filterImages(images, filter).map(imageToWire),
});
