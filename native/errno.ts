import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';

/** Kernel error numbers by name, as errno(3) lists them. */
export const E: Readonly<Record<keyof typeof constants.errno, number>> = constants.errno;

const NAMES = new Map<number, string>();
// The first name of a number wins, except that EAGAIN and EOPNOTSUPP have aliases that people do not expect to read.
for (const [name, number] of Object.entries(E)) if (!NAMES.has(number)) NAMES.set(number, name);
NAMES.set(E.EAGAIN, 'EAGAIN').set(E.EOPNOTSUPP, 'EOPNOTSUPP').set(E.EDEADLK, 'EDEADLK');

/**
 * A kernel call that failed. `call` names the call and its object (`mount /a on /b`); the message reads
 * `mount /a on /b: EBUSY: resource busy or locked`, followed by what the kernel itself said about it, if anything.
 */
export class ErrnoError extends Error {
  readonly errno: number;
  /** The name of the number: `ENOENT`. */
  readonly code: string;
  readonly call: string;

  constructor(call: string, errno: number, said = '') {
    const code = NAMES.get(errno) ?? `E${errno}`;
    super(`${call}: ${code}: ${getSystemErrorMessage(-errno)}${said === '' ? '' : ` (${said})`}`);
    this.name = 'ErrnoError';
    this.errno = errno;
    this.code = code;
    this.call = call;
  }
}

/**
 * Whether what was thrown is a kernel error with one of these names: an ErrnoError or an error of Node's own fs. That
 * one calls a number UNKNOWN that it has no name for, such as EDQUOT, and holds it with a minus.
 */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const unnamed = error.code === 'UNKNOWN' && 'errno' in error && typeof error.errno === 'number';
  const code = unnamed ? NAMES.get(-(error.errno as number)) : error.code;
  return typeof code === 'string' && codes.includes(code);
}
