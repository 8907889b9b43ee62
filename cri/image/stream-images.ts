import type { StreamHandler } from '../handler.ts';
import { filterImages } from '../convert/image.ts';
import { imageItems } from '../lists.ts';

/** The same images as the plain list, in parts of bounded size: no crowd is too large for it. */
export const streamImages: StreamHandler<'StreamImages'> = ({ images }, { filter }) =>
  imageItems.parts(filterImages(images, filter));
