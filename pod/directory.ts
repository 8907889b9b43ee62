import { randomBytes } from 'node:crypto';
import { Fault } from '../ground/fault.ts';

/** A new id: 64 hexadecimal digits, as users of other runtimes know them. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** The short form of an id, for people. */
export function shortId(id: string): string {
  return id.slice(0, 13);
}

const FULL_ID_LENGTH = 64;

/**
 * All objects of one kind by id, in order of creation. Reads are from memory alone: List and Status never wait.
 */
export class Directory<T extends { readonly id: string }> {
  readonly #kind: string;
  readonly #byId = new Map<string, T>();

  /** `kind` names the objects in errors: `sandbox`, `container`. */
  constructor(kind: string) {
    this.#kind = kind;
  }

  add(object: T): void {
    this.#byId.set(object.id, object);
  }

  delete(id: string): void {
    this.#byId.delete(id);
  }

  values(): MapIterator<T> {
    return this.#byId.values();
  }

  get size(): number {
    return this.#byId.size;
  }

  /** The object with that id or unambiguous id prefix, or undefined. Throws `invalid` when the prefix fits several. */
  lookup(idOrPrefix: string): T | undefined {
    const exact = this.#byId.get(idOrPrefix);
    if (exact !== undefined || idOrPrefix.length >= FULL_ID_LENGTH) return exact;
    if (idOrPrefix === '') throw new Fault('invalid', `The ${this.#kind} id is empty`);
    const fitting = [...this.#byId.values()].filter(({ id }) => id.startsWith(idOrPrefix));
    if (fitting.length > 1) {
      throw new Fault('invalid', `The id prefix ${idOrPrefix} fits ${fitting.length} ${this.#kind} ids`, {
        hint: 'give more digits',
      });
    }
    return fitting[0];
  }

  /** As `lookup`, but throws `not-found` when there is none. */
  find(idOrPrefix: string): T {
    const found = this.lookup(idOrPrefix);
    if (found === undefined) {
      throw new Fault('not-found', `No ${this.#kind} with id ${JSON.stringify(idOrPrefix)} is known here`);
    }
    return found;
  }
}
