import type { UnaryHandler } from '../handler.ts';
import { absolute, noNul } from '../convert/check.ts';

/** Imports the images of an archive that lies on this node. */
export const loadImage: UnaryHandler<'LoadImage'> = async ({ images }, request, { signal }) => {
  noNul(request, 'request');
  const file = absolute(request.path, 'path');
  const name = request.name === '' ? undefined : request.name;
  const loaded = await images.load(file, { signal, name });
  return { images: loaded.map(({ id, repoTags, size }) => ({ id, repoTags, size })) };
};
