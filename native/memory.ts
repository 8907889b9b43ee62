import { readFileSync } from 'node:fs';
import { garbageCollector } from './garbage.ts';
import { bind, check } from './libc.ts';

const mallocTrim = bind<[number]>('int malloc_trim(size_t pad)');

/**
 * Gives memory that the C library keeps for later back to the kernel (malloc_trim(3)). It takes some milliseconds:
 * for moments after work that needed much and will not come again soon.
 */
export function releaseFreeMemory(): void {
  mallocTrim(0);
}

/** Buffers that pass may be garbage for so many bytes before they are collected. */
const TURNOVER = 2 * 1024 * 1024;

/**
 * Collects young garbage as bytes pass through this thread in buffers that each live for a moment. V8 sees only the
 * small objects in front of them and would let some 64 MB of them pile up. A collection takes less than a millisecond.
 */
export class BufferTurnover {
  #bytes = 0;

  /** So many bytes have been dealt with. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < TURNOVER) return;
    this.#bytes = 0;
    garbageCollector()({ type: 'minor' });
  }
}

const madvise = bind<[bigint, bigint, number]>('int madvise(uintptr_t address, size_t length, int advice)');

/** madvise(2): the pages are unmapped; for an unmodified file mapping the next access finds them in the page cache. */
const MADV_DONTNEED = 4;
/** Smaller mappings are not worth a call. */
const LEAST_BYTES = 1024 * 1024;

/**
 * Unmaps program text and constants that were read once, such as those of the start: what is still needed comes back
 * with a minor fault each, from the page cache. Only file mappings that may not be written and hold no page of our own
 * are touched (/proc/self/smaps; a relocated page is a page of our own). Returns the bytes that were mapped of them.
 */
export function releaseProgramPages(): number {
  let released = 0;
  for (const mapping of programMappings(readFileSync('/proc/self/smaps', 'latin1'))) {
    check('madvise', madvise(mapping.start, mapping.end - mapping.start, MADV_DONTNEED));
    released += mapping.resident;
  }
  return released;
}

interface ProgramMapping {
  start: bigint;
  end: bigint;
  /** Bytes. */
  resident: number;
}

/** Where smaps counts pages that were changed since they were read: in memory, or swapped out. */
const OWN_PAGES = ['Private_Dirty', 'Anonymous', 'Swap'];

/** The large read-only file mappings without pages of our own, from the text of /proc/pid/smaps (proc(5)). */
export function programMappings(smaps: string): ProgramMapping[] {
  const found: ProgramMapping[] = [];
  for (const entry of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ [1-9]\d* +\//.exec(entry);
    if (head === null || OWN_PAGES.some((field) => bytesOf(entry, field) > 0)) continue;
    const [start, end] = [BigInt(`0x${head[1]}`), BigInt(`0x${head[2]}`)];
    const resident = bytesOf(entry, 'Rss');
    if (end - start >= LEAST_BYTES && resident > 0) found.push({ start, end, resident });
  }
  return found;
}

function bytesOf(entry: string, field: string): number {
  return Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(entry)?.[1] ?? 0) * 1024;
}
