import type { UnaryHandler } from '../handler.ts';
import { sandboxFilterFromWire, sandboxToWire } from '../convert/sandbox.ts';

/** The sandboxes that match all of the filter. From memory. */
export const listPodSandbox: UnaryHandler<'ListPodSandbox'> = ({ pods }, { filter }) => ({
  items: pods.listSandboxes(sandboxFilterFromWire(filter)).map(sandboxToWire),
});
