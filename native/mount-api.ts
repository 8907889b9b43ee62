import { ErrnoError } from './errno.ts';
import { O, OwnedFd } from './fd.ts';
import { AT_FDCWD, bind, check, lastErrno } from './libc.ts';

/**
 * The mount API of Linux 5.2 (fsopen(2), fsconfig(2), fsmount(2), move_mount(2), open_tree(2), mount_setattr(2)):
 * a mount is made as a file descriptor that no namespace sees, and attached where it is wanted once it is complete.
 */

const SYS = { open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, mount_setattr: 442 };
const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6 };
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_EMPTY_PATH = 0x1000;
/** struct mount_attr: u64 attr_set, attr_clr, propagation, userns_fd. */
const MOUNT_ATTR_SIZE = 32;
const MOUNT_ATTR_USERNS_FD = 24;
/** No attribute of a mount like the others: it goes together with the namespace. */
const MOUNT_ATTR_IDMAP = 0x100000;

/** Attributes of one mount. */
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;

/** A parameter of fsconfig(2) is at most this long, with its NUL. */
export const PARAMETER_MAX = 256;

const fsopen = bind<[number, string, number]>(
  'long syscall(long number, const char *type, unsigned int flags)',
);
const fsconfig = bind<[number, number, number, string | null, string | null, number]>(
  'long syscall(long number, int fd, unsigned int command, const char *key, const char *value, int aux)',
);
const fsmount = bind<[number, number, number, number]>(
  'long syscall(long number, int fd, unsigned int flags, unsigned int attributes)',
);
const moveMount = bind<[number, number, string, number, string, number]>(
  'long syscall(long number, int from, const char *source, int to, const char *target, unsigned int flags)',
);
const openTree = bind<[number, number, string, number]>(
  'long syscall(long number, int dir, const char *path, unsigned int flags)',
);
const mountSetattr = bind<[number, number, string, number, Buffer, number]>(
  'long syscall(long number, int dir, const char *path, unsigned int flags, void *attributes, size_t size)',
);
const read = bind<[number, Buffer, number]>('long read(int fd, void *bytes, size_t size)');

/** A file system in the making. Its errors carry what the kernel wrote about them. */
export class FsContext implements Disposable {
  readonly #call: string;
  readonly #fd: OwnedFd;

  /** `call` names the whole work in errors: `mount overlay on /x`. */
  constructor(type: string, call: string) {
    this.#call = call;
    this.#fd = new OwnedFd(check(`fsopen ${type}`, fsopen(SYS.fsopen, type, FSOPEN_CLOEXEC)));
  }

  /** Sets a parameter; an empty value sets a flag. */
  set(key: string, value: string): void {
    if (value === '') this.#configure(FSCONFIG.SET_FLAG, key, null);
    else this.#configure(FSCONFIG.SET_STRING, key, value);
  }

  /** Makes the file system and a mount of it that is attached nowhere yet. */
  mount(attributes: number): OwnedFd {
    this.#configure(FSCONFIG.CMD_CREATE, null, null);
    return new OwnedFd(check(this.#call, fsmount(SYS.fsmount, this.#fd.fd, FSMOUNT_CLOEXEC, attributes)));
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  #configure(command: number, key: string | null, value: string | null): void {
    if (fsconfig(SYS.fsconfig, this.#fd.fd, command, key, value, 0) >= 0) return;
    const errno = lastErrno();
    const step = key === null ? '' : `: ${key}${value === null ? '' : `=${value}`}`;
    throw new ErrnoError(`${this.#call}${step}`, errno, this.#messages());
  }

  /** What the kernel has written into the context, such as `overlay: Unknown parameter 'x'`. */
  #messages(): string {
    const said: string[] = [];
    const buffer = Buffer.alloc(1024);
    // Each read gives one message, ENODATA ends them.
    for (;;) {
      const size = read(this.#fd.fd, buffer, buffer.length);
      if (size <= 0) return said.join('; ');
      const line = buffer.toString('utf8', 0, size).replace(/^[ewi] /, '');
      said.push(line.trim());
    }
  }
}

/** A copy of the mount at `path` that is attached nowhere yet: what a bind mount is before it has a place. */
export function cloneMount(path: string): OwnedFd {
  return new OwnedFd(
    check(`open_tree ${path}`, openTree(SYS.open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O.CLOEXEC)),
  );
}

/** Adds attributes to one mount. */
export function setMountAttributes(tree: number, attributes: number): void {
  const bytes = Buffer.alloc(MOUNT_ATTR_SIZE);
  bytes.writeBigUInt64LE(BigInt(attributes));
  const result = mountSetattr(SYS.mount_setattr, tree, '', AT_EMPTY_PATH, bytes, bytes.length);
  check(`mount_setattr ${attributes}`, result);
}

/**
 * Maps the ids of one mount that is attached nowhere yet, by a user namespace: what its file system holds as id x of
 * that namespace shows as the id that x has outside (mount_setattr(2), MOUNT_ATTR_IDMAP; Linux 5.12).
 * Throws ErrnoError: EINVAL for a file system that cannot do it, EPERM for a mount whose ids are mapped already.
 */
export function mapMountIds(tree: number, userNamespace: number): void {
  const bytes = Buffer.alloc(MOUNT_ATTR_SIZE);
  bytes.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP));
  bytes.writeBigUInt64LE(BigInt(userNamespace), MOUNT_ATTR_USERNS_FD);
  const result = mountSetattr(SYS.mount_setattr, tree, '', AT_EMPTY_PATH, bytes, bytes.length);
  check('mount_setattr idmap', result);
}

/** Gives a mount its place. */
export function attachMount(tree: number, target: string): void {
  const result = moveMount(SYS.move_mount, tree, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
  check(`move_mount to ${target}`, result);
}
