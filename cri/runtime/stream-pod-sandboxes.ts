import type { StreamHandler } from '../handler.ts';
import { inChunks } from '../chunks.ts';
import { sandboxFilterFromWire, sandboxToWire } from '../convert/sandbox.ts';

/** The same sandboxes as the plain list, in parts of bounded size: no crowd is too large for it. */
export const streamPodSandboxes: StreamHandler<'StreamPodSandboxes'> = function* ({ pods }, { filter }) {
  for (const podSandboxes of inChunks(pods.listSandboxes(sandboxFilterFromWire(filter)), sandboxToWire))
    yield { podSandboxes };
};
