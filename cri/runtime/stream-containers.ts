import type { StreamHandler } from '../handler.ts';
import { inChunks } from '../chunks.ts';
import { containerFilterFromWire, containerToWire } from '../convert/container.ts';

/** The same containers as the plain list, in parts of bounded size: no crowd is too large for it. */
export const streamContainers: StreamHandler<'StreamContainers'> = function* ({ pods }, { filter }) {
  for (const containers of inChunks(pods.listContainers(containerFilterFromWire(filter)), containerToWire))
    yield { containers };
};
