import { E, ErrnoError, isErrno } from './errno.ts';
import { O, OwnedFd, openPath } from './fd.ts';
import { AT_FDCWD, bind, check, lastErrno } from './libc.ts';

/** What an overlay is made of (overlayfs, Documentation/filesystems/overlayfs.rst). */
export interface OverlayOptions {
  /** Directories of the layers, topmost first. */
  lower: string[];
  /** Takes the changes; absent together with `work` for a view that cannot be written. */
  upper?: string;
  /** An empty directory on the file system of `upper`. */
  work?: string;
  target: string;
  /** `{ index: 'off', volatile: '' }`: an empty value is a flag. */
  options?: Record<string, string>;
  readonly?: boolean;
}

const SYS = { open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, mount_setattr: 442 };
const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6 };
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_EMPTY_PATH = 0x1000;
const MOUNT_ATTR_RDONLY = 1;
const MS_RDONLY = 1;
/** A parameter of fsconfig(2) is at most this long, with its NUL. */
const FSCONFIG_STRING_MAX = 256;
/** mount(2) takes one page of data. */
const MOUNT_DATA_MAX = 4095;

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
const mount2 = bind<[string, string, string, number, string]>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const read = bind<[number, Buffer, number]>('long read(int fd, void *bytes, size_t size)');

/**
 * Mounts an overlay of any number of layers. Layers are given one by one with `lowerdir+` (Linux 6.8), so that
 * neither a colon in a path nor the page that mount(2) takes is a limit; an older kernel gets them in that page.
 * One layer without `upper` is bound read-only, since overlayfs wants two.
 * Errors carry what the kernel wrote about them. Paths must not hold backslashes.
 */
export function mountOverlay(overlay: OverlayOptions): void {
  if (overlay.upper === undefined && overlay.lower.length === 1) {
    bindReadonly(overlay.lower[0]!, overlay.target);
    return;
  }
  if (!mountByLayers(overlay)) mountByData(overlay);
}

/** False: this kernel does not know `lowerdir+`. */
function mountByLayers(overlay: OverlayOptions): boolean {
  const { target, upper, work } = overlay;
  const call = `mount overlay on ${target}`;
  using held = new DisposableStack();
  const context = held.use(
    new OwnedFd(check('fsopen overlay', fsopen(SYS.fsopen, 'overlay', FSOPEN_CLOEXEC))),
  );
  const set = (key: string, value: string): void => {
    if (value === '') configure(call, context.fd, FSCONFIG.SET_FLAG, key, null);
    else configure(call, context.fd, FSCONFIG.SET_STRING, key, short(value, held));
  };
  set('source', 'overlay');
  try {
    set('lowerdir+', overlay.lower[0]!);
  } catch (error) {
    if (isErrno(error, 'EINVAL') && String(error).includes('lowerdir+')) return false;
    throw error;
  }
  for (const layer of overlay.lower.slice(1)) set('lowerdir+', layer);
  if (upper !== undefined && work !== undefined) {
    set('upperdir', upper);
    set('workdir', work);
  }
  for (const [key, value] of Object.entries(overlay.options ?? {})) set(key, value);
  configure(call, context.fd, FSCONFIG.CMD_CREATE, null, null);
  const attributes = overlay.readonly === true ? MOUNT_ATTR_RDONLY : 0;
  const tree = held.use(
    new OwnedFd(check(call, fsmount(SYS.fsmount, context.fd, FSMOUNT_CLOEXEC, attributes))),
  );
  attach(call, tree.fd, target);
  return true;
}

/** The way of kernels before `lowerdir+`: every layer as a short name of an open directory, in one page. */
export function mountByData(overlay: OverlayOptions): void {
  const { target, upper, work } = overlay;
  using held = new DisposableStack();
  const options: Record<string, string> = { lowerdir: overlay.lower.map((l) => byFd(l, held)).join(':') };
  if (upper !== undefined && work !== undefined) {
    options['upperdir'] = byFd(upper, held);
    options['workdir'] = byFd(work, held);
  }
  Object.assign(options, overlay.options);
  const data = Object.entries(options)
    .map(([key, value]) => (value === '' ? key : `${key}=${value}`))
    .join(',');
  const call = `mount overlay on ${target}`;
  if (data.length > MOUNT_DATA_MAX)
    throw new ErrnoError(call, E.E2BIG, `${overlay.lower.length} layers are too many for this kernel`);
  check(call, mount2('overlay', target, 'overlay', overlay.readonly === true ? MS_RDONLY : 0, data));
}

function bindReadonly(source: string, target: string): void {
  const call = `bind ${source} on ${target}`;
  using tree = new OwnedFd(
    check(call, openTree(SYS.open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | O.CLOEXEC)),
  );
  // struct mount_attr: u64 attr_set, attr_clr, propagation, userns_fd.
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_RDONLY));
  check(call, mountSetattr(SYS.mount_setattr, tree.fd, '', AT_EMPTY_PATH, attributes, attributes.length));
  attach(call, tree.fd, target);
}

function attach(call: string, tree: number, target: string): void {
  check(call, moveMount(SYS.move_mount, tree, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

function configure(call: string, context: number, command: number, key: string | null, value: string | null) {
  if (fsconfig(SYS.fsconfig, context, command, key, value, 0) >= 0) return;
  const errno = lastErrno();
  const step = key === null ? call : `${call}: ${key}${value === null ? '' : `=${value}`}`;
  throw new ErrnoError(step, errno, messages(context));
}

/** What the kernel has written into the file system context, such as `overlay: Unknown parameter 'x'`. */
function messages(context: number): string {
  const said: string[] = [];
  const buffer = Buffer.alloc(1024);
  // Each read gives one message, ENODATA ends them.
  for (let size = read(context, buffer, buffer.length); size > 0; size = read(context, buffer, buffer.length))
    said.push(
      buffer
        .toString('utf8', 0, size)
        .replace(/^[ewi] /, '')
        .trim(),
    );
  return said.join('; ');
}

function short(path: string, held: DisposableStack): string {
  return Buffer.byteLength(path) < FSCONFIG_STRING_MAX ? path : byFd(path, held);
}

function byFd(directory: string, held: DisposableStack): string {
  return `/proc/self/fd/${held.use(new OwnedFd(openPath(directory, O.PATH | O.DIRECTORY))).fd}`;
}
