import { garbageCollector } from '../native/garbage.ts';
import { releaseFreeMemory, releaseProgramPages } from '../native/memory.ts';

/**
 * Gives back what a process that has come to rest does not need. Garbage first: else the heap keeps the size of its
 * busiest moment.
 */
export function releaseMemory(): void {
  void garbageCollector()({ execution: 'async', type: 'major' }).then(() => {
    releaseFreeMemory();
    releaseProgramPages();
  });
}
