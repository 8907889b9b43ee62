import { existsSync } from 'node:fs';
import { findExecutable } from '../../../native/spawn.ts';

/** What the demo calls, and the Debian package that brings it. */
const PROGRAMS = [
  ['crun', 'crun'],
  ['conmon', 'conmon'],
  ['unshare', 'util-linux'],
] as const;

/** Where Debian's busybox-static puts its one file, which becomes the demo's image. */
export const BUSYBOX = '/bin/busybox';

/** One sentence for each thing that is missing, with what to install; empty when the demo can run. */
export function missingParts(): string[] {
  if (process.getuid?.() !== 0) return ['The demo makes namespaces and mounts: run it as root'];
  const packages: string[] = PROGRAMS.filter(([program]) => findExecutable(program) === undefined).map(
    ([, debianPackage]) => debianPackage,
  );
  if (!existsSync(BUSYBOX)) packages.push('busybox-static');
  if (packages.length === 0) return [];
  return [`The demo needs ${packages.join(', ')}: apt-get install ${packages.join(' ')}`];
}
