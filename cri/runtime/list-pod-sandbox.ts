import type { UnaryHandler } from '../handler.ts';
import { sandboxFilterFromWire } from '../convert/sandbox.ts';
import { sandboxItems } from '../lists.ts';

/** The sandboxes that match all of the filter. From memory, each encoded once for as long as it stays as it is. */
export const listPodSandbox: UnaryHandler<'ListPodSandbox'> = ({ pods }, { filter }) =>
  sandboxItems.all(pods.listSandboxes(sandboxFilterFromWire(filter)));
