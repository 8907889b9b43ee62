import { randomBytes } from 'node:crypto';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { run } from '../../native/run.ts';

/** What a checkpoint says of its container (`config.dump`), in the names that the peers and checkpointctl read. */
export interface CheckpointedContainer {
  id: string;
  name: string;
  /** As it was asked for. */
  rootfsImage: string;
  /** Its digest reference. */
  rootfsImageRef: string;
  rootfsImageName: string;
  runtime: string;
  createdTime: string;
  checkpointedTime: string;
  restored: boolean;
}

const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * Puts a container's checkpoint together in `directory`, which holds criu's images as `checkpoint/` already, and writes
 * it to `location` as CRI-O and Podman do (checkpointctl's lib/metadata.go):
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
  parts: {
    config: CheckpointedContainer;
    spec: Uint8Array;
    /** The container's writable layer. */
    upper: string;
    location: string;
  },
  signal?: AbortSignal,
): Promise<void> {
  const { config, spec, upper, location } = parts;
  const tool = async (program: string, ...argv: string[]): Promise<Buffer> => {
    const result = await run(exits, {
      path: program,
      argv: [program, ...argv],
      maxOutput: MAX_LIST_BYTES,
      signal,
    });
    signal?.throwIfAborted();
    // tar says 1 when a file changed while it was read: the container runs on.
    if (result.code > (program === 'tar' ? 1 : 0))
      throw new Fault('internal', `${program} ended with ${result.code}: ${result.stderr.toString().trim()}`);
    return result.stdout;
  };
  await writeFile(join(directory, 'config.dump'), json(config), { mode: 0o600 });
  await writeFile(join(directory, 'spec.dump'), spec, { mode: 0o600 });
  const gone = await deletedFiles(upper, tool);
  await writeFile(join(directory, 'deleted.files'), json(gone), { mode: 0o600 });
  const left = join(directory, 'excluded');
  await writeFile(left, gone.map((path) => `./${path}\n`).join(''), { mode: 0o600 });
  await tool(
    'tar',
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
  );
  await rm(left);
  // Beside its place: what is renamed is whole.
  const part = join(dirname(location), `.${randomBytes(8).toString('hex')}.part`);
  try {
    await tool('tar', '--create', `--file=${part}`, '--numeric-owner', `--directory=${directory}`, '.');
    await chmod(part, 0o600);
    await rename(part, location);
  } finally {
    await rm(part, { force: true });
  }
}

/** What the container deleted of its image: character devices 0:0 in its writable layer (overlayfs.rst, "whiteouts"). */
async function deletedFiles(
  upper: string,
  tool: (program: string, ...argv: string[]) => Promise<Buffer>,
): Promise<string[]> {
  const format = '%t:%T %n\\0';
  const found = await tool(
    'find',
    upper,
    '-mindepth',
    '1',
    '-type',
    'c',
    '-exec',
    'stat',
    '--printf',
    format,
    '{}',
    '+',
  );
  return found
    .toString()
    .split('\0')
    .filter((line) => line.startsWith('0:0 '))
    .map((line) => line.slice('0:0 '.length + upper.length + 1))
    .toSorted();
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
