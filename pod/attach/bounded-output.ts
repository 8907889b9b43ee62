import { Readable } from 'node:stream';

/** What a reader may be behind, in bytes. */
export const MAX_BEHIND = 1024 * 1024;

const MARKER =
  '\r\n[this attachment is over: its reader was too slow for the output; the log is complete]\r\n';

/**
 * One reader's share of a container's output, with a bound: who writes never waits for this reader. Whoever is further
 * behind than `MAX_BEHIND` reads what is there, then a marker, then the end.
 */
export class BoundedOutput extends Readable {
  #over = false;

  /** Takes bytes in; false when the reader is too far behind: that was the last it gets. */
  offer(bytes: Buffer): boolean {
    if (this.#over || this.destroyed) return true;
    if (this.readableLength + bytes.length > MAX_BEHIND) {
      this.push(MARKER);
      this.finish();
      return false;
    }
    this.push(bytes);
    return true;
  }

  /** No more comes. Again: does nothing. */
  finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.push(null);
  }

  override _read(): void {}
}
