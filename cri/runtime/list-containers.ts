import type { UnaryHandler } from '../handler.ts';
import { containerFilterFromWire } from '../convert/container.ts';
import { containerItems } from '../lists.ts';

/** The containers that match all of the filter. From memory, each encoded once for as long as it stays as it is. */
export const listContainers: UnaryHandler<'ListContainers'> = ({ pods }, { filter }) =>
  containerItems.all(pods.listContainers(containerFilterFromWire(filter)));
