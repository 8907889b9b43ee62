import type { ImageSpec } from '../../pod/config.ts';
import type * as wire from '../proto/codec.js';
import { filled, keyed, oneLine, required } from './check.ts';

/** An image that a caller names. Throws Fault `invalid` when it names none. */
export function imageSpecFromWire(spec: wire.ImageSpec | null, path: string): ImageSpec {
  const { image, annotations, userSpecifiedImage, runtimeHandler } = required(spec, path);
  return {
    image: oneLine(filled(image, `${path}.image`), `${path}.image`),
    annotations: keyed(annotations, `${path}.annotations`),
    userSpecifiedImage,
    runtimeHandler,
  };
}

/** The same on its way back. */
export function imageSpecToWire(spec: ImageSpec): wire.Input<wire.ImageSpec> {
  return spec;
}
