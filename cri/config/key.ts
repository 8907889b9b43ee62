/** One key of the configuration: its default, what it means, and what a value has to be. */
export interface Key<T> {
  readonly default: T;
  /** For `berth config default`: one sentence, without the final dot. */
  readonly comment: string;
  /** What is expected, for errors: `a text`. */
  readonly expected: string;
  /** Whether a value has the right type. */
  is(value: unknown): value is T;
  /** What is wrong with a value of the right type; undefined when it is sound. */
  wrong?(value: T): string | undefined;
  /** Whether a running daemon takes a new value with SIGHUP; all others wait for its next start. */
  readonly live?: boolean;
}

type Options<T> = Pick<Key<T>, 'wrong' | 'live'>;

/** A key that holds a text. */
export function text(value: string, comment: string, options: Options<string> = {}): Key<string> {
  return {
    default: value,
    comment,
    expected: 'a text',
    is: (found) => typeof found === 'string',
    ...options,
  };
}

/** A key that holds one of a few words. */
export function word<T extends string>(
  words: readonly T[],
  value: T,
  comment: string,
  options: Options<T> = {},
): Key<T> {
  return {
    default: value,
    comment: `${comment}: ${words.join(', ')}`,
    expected: `one of ${words.join(', ')}`,
    is: (found): found is T => words.includes(found as T),
    ...options,
  };
}

/** A key that holds a whole number within bounds. */
export function count(
  value: number,
  min: number,
  max: number,
  comment: string,
  options: Options<number> = {},
): Key<number> {
  return {
    default: value,
    comment,
    expected: `a whole number from ${min} to ${max}`,
    is: (found): found is number =>
      typeof found === 'number' && Number.isInteger(found) && found >= min && found <= max,
    ...options,
  };
}

/** A key that holds a list of texts. */
export function texts(value: string[], comment: string, options: Options<string[]> = {}): Key<string[]> {
  return {
    default: value,
    comment,
    expected: 'a list of texts',
    is: (found): found is string[] => Array.isArray(found) && found.every((one) => typeof one === 'string'),
    ...options,
  };
}
