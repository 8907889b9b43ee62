import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import type { TarEntry } from '../tar/format.ts';

const IRREGULAR = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** A path inside the layer: relative, without empty parts and dots. `..` is refused even where it would do no harm. */
export function normalPath(path: string): string {
  if (path.includes('\0')) throw new Fault('invalid', 'its name holds a NUL byte');
  if (path !== '' && !IRREGULAR.test(path)) return path;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Fault('invalid', 'its path has ".." in it');
  return parts.join('/');
}

/** What starts a whiteout's name (OCI image specification, layer.md, "Whiteouts"). */
export const WHITEOUT = '.wh.';

/** Whether the entry is a file with content that unpacking puts into the layer's directory. */
export function contentIsKept({ type, size, path }: TarEntry): boolean {
  if (type !== 'file' || size === 0) return false;
  const plain = normalPath(path);
  return !plain.slice(plain.lastIndexOf('/') + 1).startsWith(WHITEOUT);
}

/** A path below a directory of the layer; the root is the empty path. */
export function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The fault of a layer beyond its limits. */
export function tooMuch(limit: string): Fault {
  return new Fault('exhausted', `A layer unpacks to more than ${limit}`);
}

/** Names the entry that could not be unpacked; what only the archive can be to blame for is `invalid`. */
export function entryFault(entry: TarEntry, error: unknown): Fault {
  const name = JSON.stringify(entry.path.slice(0, 300));
  const link =
    entry.type === 'hardlink' ? ` (a hard link to ${JSON.stringify(entry.link.slice(0, 300))})` : '';
  const what = `The layer's entry ${name}${link} cannot be unpacked`;
  if (error instanceof Fault) return new Fault(error.kind, what, { cause: error });
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) return new Fault('exhausted', what, { cause: error });
  const fromArchive = isErrno(
    error,
    'ENAMETOOLONG',
    'ENOENT',
    'ENOTDIR',
    'ELOOP',
    'EINVAL',
    'E2BIG',
    'ERANGE',
    'EMLINK',
  );
  return new Fault(fromArchive ? 'invalid' : 'internal', what, { cause: error });
}
