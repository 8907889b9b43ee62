import { statfs } from 'node:fs/promises';

/** How full a file system is. */
export interface DiskSpace {
  /** A directory on it. */
  path: string;
  bytesTotal: number;
  /** For others than root as well (statfs(2), f_bavail). */
  bytesFree: number;
  /** Zero where the file system has no fixed number. */
  inodesTotal: number;
  inodesFree: number;
}

const FRESH_MS = 5_000;

/**
 * How full the file system of a directory is, as it was when somebody last asked: the answer comes from memory, and
 * asking has it looked at anew. A look that hangs is waited for by nobody, and there is only one.
 */
export class DiskGauge {
  readonly #path: string;
  #space: DiskSpace | undefined;
  #looking = false;
  #lookedAt = -Infinity;

  constructor(path: string) {
    this.#path = path;
    void this.#look();
  }

  /** Undefined until the first look is over. */
  get space(): DiskSpace | undefined {
    if (performance.now() - this.#lookedAt > FRESH_MS) void this.#look();
    return this.#space;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { bsize, blocks, bavail, files, ffree } = await statfs(this.#path);
      this.#space = {
        path: this.#path,
        bytesTotal: blocks * bsize,
        bytesFree: bavail * bsize,
        inodesTotal: files,
        inodesFree: ffree,
      };
    } catch {
      // The disk is worse than full: all else says so.
      this.#space = undefined;
    } finally {
      this.#lookedAt = performance.now();
      this.#looking = false;
    }
  }
}
