import type { ImageDetails } from '../../image/images.ts';
import type { UnaryHandler } from '../handler.ts';
import { noNul } from '../convert/check.ts';
import { jsonOf } from '../convert/info.ts';

/** All about one image, as JSON. */
export const inspectImage: UnaryHandler<'InspectImage'> = ({ images }, request) => {
  noNul(request, 'request');
  return { json: jsonOf(detailsOf(images.inspect(request.image))) };
};

function detailsOf({ image, manifest, configBlob, layers }: ImageDetails): object {
  const { id, repoTags, repoDigests, size, pinned } = image;
  const parsed = (text: string): unknown => (text === '' ? null : JSON.parse(text));
  return {
    id,
    repoTags,
    repoDigests,
    size,
    pinned,
    layers,
    manifest: parsed(manifest),
    config: parsed(configBlob),
  };
}
