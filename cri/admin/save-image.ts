import { Fault } from '../../ground/fault.ts';
import type { UnaryHandler } from '../handler.ts';
import { absolute, noNul } from '../convert/check.ts';

/** Writes images into an archive on this node. */
export const saveImage: UnaryHandler<'SaveImage'> = async ({ images }, request, { signal }) => {
  noNul(request, 'request');
  const file = absolute(request.path, 'path');
  if (request.images.length === 0) throw new Fault('invalid', 'There is no image to be saved');
  const format = oneOf(request.format, ['oci', 'docker'], 'format');
  const compression = oneOf(request.compression, ['none', 'gzip', 'zstd'], 'compression');
  await images.save(request.images, file, { format, compression, signal });
  return {};
};

/** The word, when it is one of these; undefined for an empty one. */
function oneOf<T extends string>(word: string, words: readonly T[], what: string): T | undefined {
  if (word === '') return undefined;
  const found = words.find((one) => one === word);
  if (found !== undefined) return found;
  throw new Fault('invalid', `The ${what} ${JSON.stringify(word)} is none of ${words.join(', ')}`);
}
