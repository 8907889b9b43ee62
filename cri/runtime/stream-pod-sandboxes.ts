import type { StreamHandler } from '../handler.ts';
import { sandboxFilterFromWire } from '../convert/sandbox.ts';
import { sandboxItems } from '../lists.ts';

/** The same sandboxes as the plain list, in parts of bounded size: no crowd is too large for it. */
export const streamPodSandboxes: StreamHandler<'StreamPodSandboxes'> = ({ pods }, { filter }) =>
  sandboxItems.parts(pods.listSandboxes(sandboxFilterFromWire(filter)));
