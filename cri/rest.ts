const QUIET_MS = 5_000;

/**
 * Gives memory back when the daemon has come to rest: some seconds after the start, and after the last work on a pod
 * or image. What the start and the work had mapped is then unmapped in some milliseconds; what is needed again comes
 * back from the page cache. Half of a daemon at rest would otherwise be pages of its start.
 */
export class Rest {
  readonly #timer: NodeJS.Timeout;

  /** `release` is called after each quiet time. */
  constructor(release: () => void, quietMs = QUIET_MS) {
    this.#timer = setTimeout(release, quietMs);
    this.#timer.unref();
  }

  /** There is work: the quiet time begins anew. */
  postpone(): void {
    this.#timer.refresh();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
