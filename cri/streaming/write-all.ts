import type { Writable } from 'node:stream';

/**
 * Writes the parts in one go. `done` is called when nothing needs their memory any more, before the return when all of
 * it was taken at once, and also when the target is destroyed meanwhile.
 */
export function writeAll(target: Writable, parts: readonly Uint8Array[], done: () => void): void {
  let waits = true;
  const written = (): void => {
    if (!waits) return;
    waits = false;
    done();
  };
  const last = parts.length - 1;
  target.cork();
  parts.forEach((part, index) => (index < last ? target.write(part) : target.write(part, written)));
  target.uncork();
  // The callback of a write comes later, even when the kernel has taken all: a turn of the loop for each chunk.
  if (target.writableLength === 0) written();
}
