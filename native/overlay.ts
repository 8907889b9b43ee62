import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { E, ErrnoError, isErrno } from './errno.ts';
import { O, OwnedFd, openPath } from './fd.ts';
import { bind, check } from './libc.ts';
import {
  attachMount,
  cloneMount,
  FsContext,
  mapMountIds,
  MOUNT_ATTR,
  PARAMETER_MAX,
  setMountAttributes,
} from './mount-api.ts';

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
  /**
   * The layers' ids are seen through this user namespace (a file descriptor). `parent` is a directory above all of
   * them: one mapped bind of it stands in for all layers, since a bind for each stalls the kernel when there are many.
   */
  idmap?: { parent: string; userNamespace: number };
}

/** mount(2) takes one page of data. */
const MOUNT_DATA_MAX = 4095;
const MS_RDONLY = 1;
const MNT_DETACH = 2;

const mount2 = bind<[string, string, string, number, string]>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);

const umount2 = bind<[string, number]>('int umount2(const char *target, int flags)');

/**
 * Mounts an overlay of any number of layers. Layers are given one by one with `lowerdir+` (Linux 6.8), so that
 * neither a colon in a path nor the page that mount(2) takes is a limit; an older kernel gets them in that page.
 * One layer without `upper` is bound read-only, since overlayfs wants two.
 * Errors carry what the kernel wrote about them. Paths must not hold backslashes.
 */
export function mountOverlay(overlay: OverlayOptions): void {
  if (overlay.idmap === undefined) {
    mountLayers(overlay);
    return;
  }
  using view = mappedView(overlay.idmap);
  try {
    mountLayers({ ...overlay, lower: seenFrom(overlay, `/proc/self/fd/${view.fd}`) });
  } catch (error) {
    // Before Linux 6.15 layers have to lie in the mount namespace of who mounts.
    if (!isErrno(error, 'EINVAL')) throw error;
    // The attempt has left its mark against a second mount with `volatile` (overlayfs.rst).
    if (overlay.work !== undefined)
      rmSync(join(overlay.work, 'work/incompat'), { recursive: true, force: true });
    mountOnView(overlay, view);
  }
}

/**
 * The way of kernels before 6.15: the mapped view of the layers hangs where the overlay goes, and below it for as long
 * as that lives. Two mounts to take off, then.
 */
export function mountOnView(overlay: OverlayOptions, view: OwnedFd = mappedView(overlay.idmap!)): void {
  using _view = view;
  const { target } = overlay;
  attachMount(view.fd, target);
  try {
    mountLayers({ ...overlay, lower: seenFrom(overlay, target) });
  } catch (error) {
    check(`umount ${target}`, umount2(target, MNT_DETACH));
    throw error;
  }
}

/** Nobody can write through it: whatever goes wrong with it, the layers stay what they are. */
function mappedView({ parent, userNamespace }: NonNullable<OverlayOptions['idmap']>): OwnedFd {
  using undo = new DisposableStack();
  const view = undo.use(cloneMount(parent));
  mapMountIds(view.fd, userNamespace);
  setMountAttributes(view.fd, MOUNT_ATTR.RDONLY);
  undo.move();
  return view;
}

function seenFrom({ lower, idmap }: OverlayOptions, place: string): string[] {
  return lower.map((layer) => join(place, relative(idmap!.parent, layer)));
}

function mountLayers(overlay: OverlayOptions): void {
  if (overlay.upper === undefined && overlay.lower.length === 1)
    bindReadonly(overlay.lower[0]!, overlay.target);
  else if (!mountByLayers(overlay)) mountByData(overlay);
}

let checksParameters: boolean | undefined;

/**
 * Whether overlayfs looks at each parameter when it comes (Linux 6.5). Before that, any word is taken, and the mount
 * fails at the end without a reason: such a kernel does not know `lowerdir+` either.
 */
function overlayChecksParameters(): boolean {
  if (checksParameters === undefined) {
    using context = new FsContext('overlay', 'mount overlay');
    try {
      context.set('berth-asks-who-checks', '');
      checksParameters = false;
    } catch (error) {
      if (!isErrno(error, 'EINVAL')) throw error;
      checksParameters = true;
    }
  }
  return checksParameters;
}

/** False: this kernel does not know `lowerdir+`. */
function mountByLayers(overlay: OverlayOptions): boolean {
  if (!overlayChecksParameters()) return false;
  const { target, upper, work, lower } = overlay;
  using held = new DisposableStack();
  const context = held.use(new FsContext('overlay', `mount overlay on ${target}`));
  const setPath = (key: string, path: string): void =>
    context.set(key, Buffer.byteLength(path) < PARAMETER_MAX ? path : byFd(path, held));
  context.set('source', 'overlay');
  try {
    setPath('lowerdir+', lower[0]!);
  } catch (error) {
    if (isErrno(error, 'EINVAL') && /Unknown parameter/.test(String(error))) return false;
    throw error;
  }
  for (const layer of lower.slice(1)) setPath('lowerdir+', layer);
  if (upper !== undefined && work !== undefined) {
    setPath('upperdir', upper);
    setPath('workdir', work);
  }
  for (const [key, value] of Object.entries(overlay.options ?? {})) context.set(key, value);
  const tree = held.use(context.mount(overlay.readonly === true ? MOUNT_ATTR.RDONLY : 0));
  attachMount(tree.fd, target);
  return true;
}

/** The way of kernels before `lowerdir+`: every layer as a short name of an open directory, in one page. */
export function mountByData(overlay: OverlayOptions): void {
  const { target, upper, work } = overlay;
  using held = new DisposableStack();
  const options: Record<string, string> = {
    lowerdir: overlay.lower.map((layer) => byFd(layer, held)).join(':'),
  };
  if (upper !== undefined && work !== undefined) {
    options['upperdir'] = byFd(upper, held);
    options['workdir'] = byFd(work, held);
  }
  Object.assign(options, overlay.options);
  const data = Object.entries(options)
    .map(([key, value]) => (value === '' ? key : `${key}=${value.includes(',') ? `"${value}"` : value}`))
    .join(',');
  const call = `mount overlay on ${target}`;
  if (data.length > MOUNT_DATA_MAX)
    throw new ErrnoError(call, E.E2BIG, `${overlay.lower.length} layers are too many for this kernel`);
  check(call, mount2('overlay', target, 'overlay', overlay.readonly === true ? MS_RDONLY : 0, data));
}

function bindReadonly(source: string, target: string): void {
  using tree = cloneMount(source);
  setMountAttributes(tree.fd, MOUNT_ATTR.RDONLY);
  attachMount(tree.fd, target);
}

function byFd(directory: string, held: DisposableStack): string {
  return `/proc/self/fd/${held.use(new OwnedFd(openPath(directory, O.PATH | O.DIRECTORY))).fd}`;
}
