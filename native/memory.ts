import { bind } from './libc.ts';

const mallocTrim = bind<[number]>('int malloc_trim(size_t pad)');

/**
 * Gives memory that the C library keeps for later back to the kernel (malloc_trim(3)). It takes some milliseconds:
 * for moments after work that needed much and will not come again soon.
 */
export function releaseFreeMemory(): void {
  mallocTrim(0);
}
