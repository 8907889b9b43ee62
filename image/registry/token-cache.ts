/** A token without a word on its life lives this long (distribution, token authentication). */
const DEFAULT_LIFE_MS = 60_000;
/** However long a registry promises. */
const MAX_LIFE_MS = 3_600_000;
/** A token is not used in the last part of its life: the request has to arrive, clocks differ. */
const USABLE_PART = 0.8;
const MAX_TOKENS = 500;

/** An `Authorization` value and how long it may be used, in milliseconds of `performance.now()`. */
export interface Token {
  header: string;
  until: number;
}

/** Tokens of registries between pulls: in memory only, bounded in number, the oldest leave first. */
export class TokenCache {
  readonly #tokens = new Map<string, Token>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many are kept. */
  get size(): number {
    return this.#tokens.size;
  }

  /** The header under `key`, while its token lives. */
  get(key: string): string | undefined {
    const token = this.#tokens.get(key);
    if (token === undefined) return undefined;
    if (this.#now() < token.until) return token.header;
    this.#tokens.delete(key);
    return undefined;
  }

  /** Keeps a token for what remains of `lifeSeconds`; undefined when the server does not say. */
  put(key: string, header: string, lifeSeconds: number | undefined): void {
    const life = lifeSeconds === undefined ? DEFAULT_LIFE_MS : Math.min(lifeSeconds * 1000, MAX_LIFE_MS);
    this.#tokens.delete(key);
    this.#tokens.set(key, { header, until: this.#now() + life * USABLE_PART });
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > MAX_TOKENS) this.#tokens.delete(oldest!);
  }

  delete(key: string): void {
    this.#tokens.delete(key);
  }
}
