import type { UnaryHandler } from '../handler.ts';
import { imageSpecFromWire } from '../convert/image-spec.ts';
import { goneIsDone } from '../idempotent.ts';

/** Removes an image with all of its names. One that is not there is no error. */
export const removeImage: UnaryHandler<'RemoveImage'> = async ({ images }, request) => {
  const { image } = imageSpecFromWire(request.image, 'image');
  await goneIsDone(images.remove(image));
  return {};
};
