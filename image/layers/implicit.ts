import { chmodSync, chownSync, lstatSync, type BigIntStats } from 'node:fs';
import { isErrno } from '../../native/errno.ts';
import { lutimesNs } from '../../native/node.ts';
import { lgetxattr, llistxattr, lsetxattr } from '../../native/xattr.ts';
import { nameBytes } from '../tar/reader.ts';

/**
 * Gives directories that no entry of a layer described the attributes of the directory that they will cover:
 * in an overlay the topmost directory's owner and mode are those that show.
 * `lower` are the layer directories below, topmost first.
 */
export function adoptAttributes(directory: string, implicit: string[], lower: string[]): void {
  for (const path of implicit) {
    const found = firstBelow(path, lower);
    if (found === undefined) continue;
    const place = nameBytes(`${directory}/`, path);
    chownSync(place, Number(found.stat.uid), Number(found.stat.gid));
    chmodSync(place, Number(found.stat.mode & 0o7777n));
    for (const name of llistxattr(found.place)) {
      if (name.startsWith('trusted.overlay.')) continue;
      const value = lgetxattr(found.place, name);
      if (value !== undefined) lsetxattr(place, name, value);
    }
    lutimesNs(place, found.stat.mtimeNs, found.stat.mtimeNs);
  }
}

function firstBelow(
  path: string,
  lower: string[],
): { place: string | Buffer; stat: BigIntStats } | undefined {
  for (const layer of lower) {
    const found = lookUp(layer, path);
    if (found === 'hidden') return undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `hidden`: this layer has something there that is no directory, so that nothing further below shows. */
function lookUp(
  layer: string,
  path: string,
): { place: string | Buffer; stat: BigIntStats } | 'hidden' | undefined {
  const parts = path.split('/');
  for (let depth = 1; depth <= parts.length; depth++) {
    const place = nameBytes(`${layer}/`, parts.slice(0, depth).join('/'));
    let stat: BigIntStats;
    try {
      stat = lstatSync(place, { bigint: true });
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      return isOpaque(layer, parts.slice(0, depth - 1)) ? 'hidden' : undefined;
    }
    if (!stat.isDirectory()) return 'hidden';
    if (depth === parts.length) return { place, stat };
  }
  return undefined;
}

/** Whether a directory on this way hides what is below it. */
function isOpaque(layer: string, parts: string[]): boolean {
  return parts.some((_, i) => {
    const place = nameBytes(`${layer}/`, parts.slice(0, i + 1).join('/'));
    return lgetxattr(place, 'trusted.overlay.opaque')?.toString() === 'y';
  });
}
