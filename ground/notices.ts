/** What a person should know that has happened once, and is no state that could be looked at. */
export interface Notice {
  /** Of one daemon's life, growing. */
  id: number;
  at: string;
  kind: NoticeKind;
  /** One sentence or two. */
  message: string;
}

/**
 * - `store-repaired`: damage in the image store was found and repaired; images may have to be pulled anew
 * - `store-unchecked`: the image store could not be looked through although it had to be
 * - `no-room`: an image could not be stored for want of room
 */
export type NoticeKind = 'store-repaired' | 'store-unchecked' | 'no-room';

const KEPT = 32;

/** The latest notices of this daemon's life, for those who ask: `berth status`, the node agent. */
export class Notices {
  readonly #kept: Notice[] = [];
  #last = 0;

  /** The same once more takes the place of the earlier one. */
  add(kind: NoticeKind, message: string): void {
    const same = this.#kept.findIndex((one) => one.kind === kind && one.message === message);
    if (same >= 0) this.#kept.splice(same, 1);
    this.#kept.push({ id: ++this.#last, at: new Date().toISOString(), kind, message });
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  /** Oldest first. */
  list(): Notice[] {
    return [...this.#kept];
  }
}
