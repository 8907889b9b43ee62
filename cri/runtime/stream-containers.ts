import type { StreamHandler } from '../handler.ts';
import { containerFilterFromWire } from '../convert/container.ts';
import { containerItems } from '../lists.ts';

/** The same containers as the plain list, in parts of bounded size: no crowd is too large for it. */
export const streamContainers: StreamHandler<'StreamContainers'> = ({ pods }, { filter }) =>
  containerItems.parts(pods.listContainers(containerFilterFromWire(filter)));
