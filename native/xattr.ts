import { E, ErrnoError } from './errno.ts';
import { bind, cString, check, lastErrno, show, type Bytes } from './libc.ts';

/** Extended attributes (xattr(7)) of a path, never following a symbolic link, or of an open file. Values are bytes. */

const lget = bind<[Buffer, string, Buffer, number]>(
  'long lgetxattr(const void *path, const char *name, void *value, size_t size)',
);
const lset = bind<[Buffer, string, Uint8Array, number, number]>(
  'int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)',
);
const llist = bind<[Buffer, Buffer, number]>('long llistxattr(const void *path, void *list, size_t size)');
const lremove = bind<[Buffer, string]>('int lremovexattr(const void *path, const char *name)');
const fget = bind<[number, string, Buffer, number]>(
  'long fgetxattr(int fd, const char *name, void *value, size_t size)',
);
const fset = bind<[number, string, Uint8Array, number, number]>(
  'int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)',
);
const flist = bind<[number, Buffer, number]>('long flistxattr(int fd, void *list, size_t size)');

/** The kernel's limit of a value and of a list of names. */
const XATTR_SIZE_MAX = 65536;

/** The value, or undefined when the file has no such attribute. */
export function lgetxattr(path: Bytes, name: string): Buffer | undefined {
  const raw = cString(path);
  return value(`lgetxattr ${show(path)} ${name}`, (buffer) => lget(raw, name, buffer, buffer.length));
}

/** Sets an attribute; `flags` 1 only creates, 2 only replaces. ENOTSUP when the file system has none. */
export function lsetxattr(path: Bytes, name: string, bytes: Uint8Array, flags = 0): void {
  const call = `lsetxattr ${show(path)} ${name}`;
  check(call, lset(cString(path), name, bytes, bytes.length, flags));
}

/** The names of all attributes that this process may see. */
export function llistxattr(path: Bytes): string[] {
  const raw = cString(path);
  return names(`llistxattr ${show(path)}`, (buffer) => llist(raw, buffer, buffer.length));
}

/** Removes an attribute. ENODATA when the file does not have it. */
export function lremovexattr(path: Bytes, name: string): void {
  check(`lremovexattr ${show(path)} ${name}`, lremove(cString(path), name));
}

/** The value, or undefined when the file has no such attribute. */
export function fgetxattr(fd: number, name: string): Buffer | undefined {
  return value(`fgetxattr ${fd} ${name}`, (buffer) => fget(fd, name, buffer, buffer.length));
}

/** Sets an attribute of an open file; as `lsetxattr`. */
export function fsetxattr(fd: number, name: string, bytes: Uint8Array, flags = 0): void {
  check(`fsetxattr ${fd} ${name}`, fset(fd, name, bytes, bytes.length, flags));
}

/** The names of all attributes of an open file that this process may see. */
export function flistxattr(fd: number): string[] {
  return names(`flistxattr ${fd}`, (buffer) => flist(fd, buffer, buffer.length));
}

function value(call: string, get: (buffer: Buffer) => number): Buffer | undefined {
  const bytes = filled(call, get);
  return bytes === undefined ? undefined : Buffer.from(bytes);
}

function names(call: string, list: (buffer: Buffer) => number): string[] {
  return (filled(call, list) ?? Buffer.alloc(0))
    .toString()
    .split('\0')
    .filter((name) => name !== '');
}

const FIRST_TRY = Buffer.alloc(1024);

/** What the call writes; a small buffer first, the largest that can be needed after ERANGE. */
function filled(call: string, fill: (buffer: Buffer) => number): Buffer | undefined {
  for (const buffer of [FIRST_TRY, undefined]) {
    const room = buffer ?? Buffer.alloc(XATTR_SIZE_MAX);
    const size = fill(room);
    if (size >= 0) return room.subarray(0, size);
    const errno = lastErrno();
    if (errno === E.ENODATA) return undefined;
    if (errno !== E.ERANGE || buffer === undefined) throw new ErrnoError(call, errno);
  }
  return undefined;
}
