import type { UnaryHandler } from '../handler.ts';
import { jsonOf } from '../convert/info.ts';

/** Holds records against the kernel and looks through the image store (`CheckReport`). */
export const check: UnaryHandler<'Check'> = async ({ daemon }, { repair }, { signal }) => ({
  json: jsonOf(await daemon.check({ repair, signal })),
});
