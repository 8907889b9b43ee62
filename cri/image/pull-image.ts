import type { UnaryHandler } from '../handler.ts';
import { authFromWire } from '../convert/image.ts';
import { imageSpecFromWire } from '../convert/image-spec.ts';

/** Pulls an image. The answer is its id: the one identity that lists and container statuses carry too. */
export const pullImage: UnaryHandler<'PullImage'> = async ({ images }, request, { signal }) => {
  const { image } = imageSpecFromWire(request.image, 'image');
  const { id } = await images.pull(image, { auth: authFromWire(request.auth), signal });
  return { imageRef: id };
};
