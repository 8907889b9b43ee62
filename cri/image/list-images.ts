import type { UnaryHandler } from '../handler.ts';
import { filterImages } from '../convert/image.ts';
import { imageItems } from '../lists.ts';

/** All images, or the one that the filter names. From memory, each encoded once for as long as it stays as it is. */
export const listImages: UnaryHandler<'ListImages'> = ({ images }, { filter }) =>
  imageItems.all(filterImages(images, filter));
