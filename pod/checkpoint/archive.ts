import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { chmod, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { O, OwnedFd, openPath } from '../../native/fd.ts';
import { openBelow } from '../../native/openat2.ts';
import { run } from '../../native/run.ts';
import { lgetxattr } from '../../native/xattr.ts';
import type { CheckpointedContainer } from './metadata.ts';

const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * Writes into `directory` what the container's files are besides its image: `rootfs-diff.tar` and `deleted.files`, as
 * CRI-O and Podman have them. Nobody writes to `upper`, its writable layer, meanwhile; `lower` are the directories of
 * its image's layers. Rejects with the signal's reason when that aborts.
 */
export async function writeRootfsDiff(
  exits: ExitWatcher,
  directory: string,
  { upper, lower }: { upper: string; lower: string[] },
  signal?: AbortSignal,
): Promise<void> {
  const gone = await whiteouts(exits, upper, signal);
  const hidden = await hiddenByOpaque(upper, lower, signal);
  await writeFile(join(directory, 'deleted.files'), json([...gone, ...hidden].toSorted()), { mode: 0o600 });
  const left = join(directory, 'excluded');
  await writeFile(left, gone.map((path) => `./${path}\n`).join(''), { mode: 0o600 });
  await tool(exits, signal, 'tar', [
    '--create',
    `--file=${join(directory, 'rootfs-diff.tar')}`,
    '--numeric-owner',
    '--xattrs',
    '--xattrs-exclude=trusted.overlay.*',
    '--no-wildcards',
    '--anchored',
    `--exclude-from=${left}`,
    `--directory=${upper}`,
    '.',
  ]);
  await rm(left);
}

/**
 * Puts a container's checkpoint together in `directory`, which holds criu's images as `checkpoint/` and what
 * `writeRootfsDiff` wrote, and writes it to `location` as CRI-O and Podman do (checkpointctl's lib/metadata.go):
 *
 * ```
 * config.dump  spec.dump  checkpoint/  rootfs-diff.tar  deleted.files  dump.log  stats-dump
 * ```
 *
 * The work is a tar's, so that neither the daemon's thread nor its memory takes part in gigabytes. The archive appears
 * whole and with mode 0600, or not at all. Rejects with the signal's reason when that aborts.
 */
export async function writeCheckpointArchive(
  exits: ExitWatcher,
  directory: string,
  { config, spec, location }: { config: CheckpointedContainer; spec: Uint8Array; location: string },
  signal?: AbortSignal,
): Promise<void> {
  await writeFile(join(directory, 'config.dump'), json(config), { mode: 0o600 });
  await writeFile(join(directory, 'spec.dump'), spec, { mode: 0o600 });
  // Beside its place: what is renamed is whole.
  const part = join(dirname(location), `.${randomBytes(8).toString('hex')}.part`);
  try {
    const argv = ['--create', `--file=${part}`, '--numeric-owner', `--directory=${directory}`, '.'];
    await tool(exits, signal, 'tar', argv);
    await chmod(part, 0o600);
    await rename(part, location);
  } finally {
    await rm(part, { force: true });
  }
}

/** What the container deleted of its image: character devices 0:0 in its writable layer (overlayfs.rst, "whiteouts"). */
async function whiteouts(exits: ExitWatcher, upper: string, signal?: AbortSignal): Promise<string[]> {
  const format = '%t:%T %n\\0';
  const argv = [upper, '-mindepth', '1', '-type', 'c', '-exec', 'stat', '--printf', format, '{}', '+'];
  const found = await tool(exits, signal, 'find', argv);
  return found
    .toString()
    .split('\0')
    .filter((line) => line.startsWith('0:0 '))
    .map((line) => line.slice('0:0 '.length + upper.length + 1));
}

/**
 * What opaque directories of the writable layer hide of the image: directories that took the place of others, whose
 * mark no archive keeps. What one layer below hides of the next is among it, which does no harm.
 */
async function hiddenByOpaque(upper: string, lower: string[], signal?: AbortSignal): Promise<string[]> {
  const hidden = new Set<string>();
  for (const todo = ['']; todo.length > 0;) {
    signal?.throwIfAborted();
    const path = todo.pop()!;
    const place = join(upper, path);
    const entries = await readdir(place, { withFileTypes: true });
    if (path !== '' && lgetxattr(place, 'trusted.overlay.opaque') !== undefined) {
      const own = new Set(entries.map(({ name }) => name));
      for (const layer of lower)
        for (const name of namesBelow(layer, path)) if (!own.has(name)) hidden.add(join(path, name));
    }
    for (const entry of entries) if (entry.isDirectory()) todo.push(join(path, entry.name));
  }
  return [...hidden];
}

/** Names in a directory of a layer; none when there is no such directory. Links on the way are not followed. */
function namesBelow(layer: string, path: string): string[] {
  using root = new OwnedFd(openPath(layer, O.PATH | O.DIRECTORY));
  try {
    using directory = new OwnedFd(openBelow(root.fd, path, O.PATH | O.DIRECTORY));
    return readdirSync(`/proc/self/fd/${directory.fd}`);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return [];
    throw error;
  }
}

async function tool(
  exits: ExitWatcher,
  signal: AbortSignal | undefined,
  program: string,
  argv: string[],
): Promise<Buffer> {
  const result = await run(exits, {
    path: program,
    argv: [program, ...argv],
    maxOutput: MAX_LIST_BYTES,
    signal,
  });
  signal?.throwIfAborted();
  if (result.code !== 0)
    throw new Fault('internal', `${program} ended with ${result.code}: ${result.stderr.toString().trim()}`);
  return result.stdout;
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
