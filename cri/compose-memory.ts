import { releaseFreeMemory, releaseProgramPages } from '../native/memory.ts';

/**
 * Gives back what a process that has come to rest does not need. Garbage first (`--expose-gc`, in bin/berth): else the
 * heap keeps the size of its busiest moment.
 */
export function releaseMemory(): void {
  void Promise.resolve(globalThis.gc?.({ execution: 'async', type: 'major' })).then(() => {
    releaseFreeMemory();
    releaseProgramPages();
  });
}
