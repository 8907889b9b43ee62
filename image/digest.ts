import { createHash, type Hash } from 'node:crypto';
import { Fault } from '../ground/fault.ts';

/** A running check of bytes against `digest` (`sha256:…` or `sha512:…`, as DIGEST admits them). */
export class DigestCheck {
  readonly expected: string;
  readonly #algorithm: string;
  readonly #hash: Hash;

  constructor(expected: string) {
    this.expected = expected;
    this.#algorithm = expected.slice(0, expected.indexOf(':'));
    this.#hash = createHash(this.#algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the check. Throws Fault('data-loss') when the bytes are not those of the digest; `what` names them. */
  verify(what: string): void {
    const actual = `${this.#algorithm}:${this.#hash.digest('hex')}`;
    if (actual === this.expected) return;
    throw new Fault('data-loss', `The digest of ${what} is ${actual}, expected ${this.expected}`);
  }
}

/** `sha256:<hex>` of the bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Throws Fault('data-loss') when `bytes` do not have `digest`. */
export function verifyDigest(bytes: Uint8Array, digest: string, what: string): void {
  const check = new DigestCheck(digest);
  check.update(bytes);
  check.verify(what);
}
