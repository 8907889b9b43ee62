import koffi from 'koffi';
import { E, ErrnoError } from './errno.ts';

/**
 * The C library of this process, as the rest of this room binds it. A call runs on the calling thread and blocks
 * it; errors come as -1 and errno. Nothing outside of `native/` imports this file.
 */

/** What a bound function takes. Buffers are passed by address, without a copy; strings are copied as UTF-8. */
export type Argument = number | bigint | string | Uint8Array | null | number[] | readonly (string | null)[];

const library = koffi.load(null);

/**
 * A C function by its prototype, bound at the first call. A string argument with a NUL inside fails with EINVAL,
 * since C would see only what stands before it.
 */
export function bind<Arguments extends Argument[]>(prototype: string): (...args: Arguments) => number {
  let bound: ((...args: Arguments) => number) | undefined;
  return (...args) => {
    for (const arg of args) if (typeof arg === 'string' && arg.includes('\0')) refuseNul(prototype, arg);
    bound ??= library.func(prototype) as unknown as (...args: Arguments) => number;
    return bound(...args);
  };
}

/**
 * The same, on a thread of Node's pool: resolves with the result, whose errno is lost. The pool has few threads: for
 * calls that end soon, one at a time. The arguments must not change before the end; strings with a NUL are not refused.
 */
export function bindInPool<Arguments extends Argument[]>(
  prototype: string,
): (...args: Arguments) => Promise<number> {
  type Async = { async(...args: [...Arguments, (error: Error | null, result: number) => void]): void };
  let bound: Async | undefined;
  return (...args) =>
    new Promise((resolve, reject) => {
      bound ??= library.func(prototype) as unknown as Async;
      bound.async(...args, (error, result) => (error === null ? resolve(result) : reject(error)));
    });
}

function refuseNul(prototype: string, arg: string): never {
  const name = /(\w+)\(/.exec(prototype)?.[1] ?? prototype;
  throw new ErrnoError(`${name} ${JSON.stringify(arg)}`, E.EINVAL, 'a string must not hold a NUL byte');
}

/** errno of the last call on this thread. Read it before anything else is called. */
export function lastErrno(): number {
  return koffi.errno();
}

/** The result of a call, or an ErrnoError that names it when the result is negative. */
export function check(call: string, result: number): number {
  if (result < 0) throw new ErrnoError(call, koffi.errno());
  return result;
}

/** A path or name: text, or the very bytes. */
export type Bytes = string | Uint8Array;

/** A NUL-terminated copy, for calls whose argument may be any bytes. Fails with EINVAL when a NUL stands inside. */
export function cString(value: Bytes): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  if (bytes.includes(0)) throw new ErrnoError('C string', E.EINVAL, 'a string must not hold a NUL byte');
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}

/** A path as people read it. */
export function show(path: Bytes): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}

/** For call sites that give a path relative to the current directory (AT_FDCWD). */
export const AT_FDCWD = -100;

/** Where the bytes of a buffer stand, for structures that hold pointers. The buffer must outlive the call. */
export function addressOf(buffer: Uint8Array): bigint {
  return koffi.address(buffer);
}
