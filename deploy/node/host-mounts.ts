import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { umount } from '../../native/mount.ts';
import { mounts } from '../../native/mountinfo.ts';

const UMOUNT_MS = 60_000;

/**
 * Unmounts all at and below these paths of the node: whoever removed a directory with a mount in it would empty that.
 * Throws Fault `precondition` when something is in use.
 */
export async function unmountBelow(
  run: (argv: string[], timeoutMs: number) => Promise<{ code: number; stderr: string }>,
  root: string,
  paths: string[],
): Promise<void> {
  const table = root === '/' ? mounts() : mounts('/proc/1');
  const isAt = (target: string, places: string[]): boolean =>
    places.some((place) => target === place || target.startsWith(`${place}/`));
  const deepestFirst = (targets: string[]): string[] => targets.sort((a, b) => b.length - a.length);
  for (const target of deepestFirst(table.map((one) => one.target).filter((one) => isAt(one, paths)))) {
    const { code, stderr } = await run(['umount', target], UMOUNT_MS);
    if (code !== 0)
      throw new Fault('precondition', `${target} cannot be unmounted`, {
        cause: stderr.trim(),
        hint: 'see what uses it: fuser -vm',
      });
  }
  if (root === '/') return;
  // The node's `/` came into this pod with copies of these mounts, which are nobody's business but ours.
  const seen = paths.flatMap((path) => [path, join(root, path)]);
  for (const target of deepestFirst(
    mounts()
      .map((one) => one.target)
      .filter((one) => isAt(one, seen)),
  ))
    umount(target);
}
