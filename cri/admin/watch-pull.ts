import type { LayerProgress, PullProgress } from '../../image/images.ts';
import { sleep } from '../../ground/wait.ts';
import { filled, oneLine } from '../convert/check.ts';
import type { StreamHandler } from '../handler.ts';
import type * as wire from '../proto/codec.js';

/** How often a pull is told of. */
const INTERVAL_MS = 100;

/** Pulls an image and tells how far it is, ten times a second; the last message has the image's id. */
export const watchPull: StreamHandler<'WatchPull'> = async function* ({ images }, request, { signal }) {
  const image = oneLine(filled(request.image, 'image'), 'image');
  let progress: PullProgress | undefined;
  const pulled = images.pull(image, { signal, progress: (now) => (progress = now) });
  const over = pulled.then(({ id }) => id);
  for (;;) {
    const imageRef = await Promise.race([over, sleep(INTERVAL_MS, signal)]);
    const layers = progress?.layers.map(layerToWire) ?? [];
    yield { layers, imageRef: imageRef ?? '' };
    if (imageRef !== undefined) return;
  }
};

function layerToWire({ digest, state, bytesDone, bytesTotal }: LayerProgress): wire.Input<wire.PulledLayer> {
  return { digest, state, bytesDone, bytesTotal };
}
