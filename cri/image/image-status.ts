import type { UnaryHandler } from '../handler.ts';
import { imageSpecFromWire } from '../convert/image-spec.ts';
import { imageToWire } from '../convert/image.ts';
import { infoToWire } from '../convert/info.ts';

/** One image; an absent image in the answer says that it is not there, which is no error. */
export const imageStatus: UnaryHandler<'ImageStatus'> = ({ images }, request) => {
  const image = images.find(imageSpecFromWire(request.image, 'image').image);
  if (image === undefined) return {};
  const info = request.verbose ? infoToWire({ config: image.config, layers: image.layers }) : {};
  return { image: imageToWire(image), info };
};
