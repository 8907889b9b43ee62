import { mkdirSync, readdirSync, readSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { waitOrAbort } from '../../ground/wait.ts';
import { E, ErrnoError, isErrno } from '../../native/errno.ts';
import { startChild, type Child } from '../../native/child.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { closeFd, OwnedFd, pipe2, sealedProgram } from '../../native/fd.ts';
import { mounts, umount } from '../../native/mount.ts';
import { SIG } from '../../native/signals.ts';
import { devNullFd } from '../../native/spawn.ts';
import { CallList } from '../exec/call-list.ts';
import { readReport, REPORT_SIZE } from '../exec/interpreter.ts';

/**
 * Volumes whose owners are shown with mapped ids (CRI, Mount.uidMappings). Not every OCI runtime can do that, so the
 * mapped mount is made beforehand, in `directory`, and the runtime binds it like any other source.
 *
 * The source belongs to the pod: on a dead network mount whoever opens it hangs. So a child does (`berth-volumes`, a
 * program of system calls), and is given up after a while.
 */
export interface MappedVolume {
  source: string;
  /** File descriptor of the user namespace whose ids are shown. */
  userNamespace: number;
}

/** The name of the child, by which recovery finds it. */
export const VOLUMES_PROGRAM = 'berth-volumes';

const TIMEOUT_MS = 30_000;
const PROGRAM_FD = 4;

/** Numbers of x86-64, from asm/unistd_64.h. */
const SYS = { close: 3, exit_group: 231, open_tree: 428, move_mount: 429, mount_setattr: 442 };
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
/** struct mount_attr: u64 attr_set, attr_clr, propagation, userns_fd. */
const MOUNT_ATTR_IDMAP = 0x100000;
const MOUNT_ATTR_SIZE = 32;

/**
 * Makes the mapped mounts of one container below `directory`, and returns their paths in the order of `volumes`.
 * Undo: `releaseMappedVolumes`, also when this throws. Throws `invalid` for a source that is not there, `precondition`
 * for one whose file system cannot map ids, `deadline` for one that does not answer.
 */
export async function mountMappedVolumes(
  exits: ExitWatcher,
  id: string,
  directory: string,
  volumes: readonly MappedVolume[],
  signal: AbortSignal,
): Promise<string[]> {
  if (volumes.length === 0) return [];
  const places = volumes.map((_, number) => makePlaces(directory, number));
  const namespaces = [...new Set(volumes.map(({ userNamespace }) => userNamespace))];
  const list = volumeCalls(volumes, places, namespaces);
  const report = await runCalls(
    exits,
    id,
    list,
    namespaces,
    AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  );
  if (report !== undefined) throw failureOf(list, report, volumes);
  const mounted = new Set(mounts().map(({ target }) => target));
  return volumes.map(({ source }, number) => {
    const { asDirectory, asFile } = places[number]!;
    const place = [asDirectory, asFile].find((path) => mounted.has(path));
    if (place !== undefined) return place;
    throw new Fault('internal', `The mount of ${source} with mapped ids has found no place`);
  });
}

/** Takes away what `mountMappedVolumes` made there. Never looks into it, and is done when nothing is there. */
export function releaseMappedVolumes(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  for (const name of names) {
    const place = join(directory, name);
    while (umount(place));
    // One by one, and never what lies below: a mount that stayed is somebody's volume.
    if (name.startsWith(FILE)) unlinkSync(place);
    else rmdirSync(place);
  }
  rmdirSync(directory);
}

interface Places {
  asDirectory: string;
  asFile: string;
}

const FILE = 'file-';

/** A file can only be mounted on a file, a directory on a directory, and only the child may find out which it is. */
function makePlaces(directory: string, number: number): Places {
  const places = {
    asDirectory: join(directory, `directory-${number}`),
    asFile: join(directory, `${FILE}${number}`),
  };
  mkdirSync(places.asDirectory, { recursive: true, mode: 0o711 });
  writeFileSync(places.asFile, '', { mode: 0o600 });
  return places;
}

function volumeCalls(
  volumes: readonly MappedVolume[],
  places: readonly Places[],
  namespaces: readonly number[],
): CallList {
  const list = new CallList();
  const empty = list.text('');
  // The kernel gives the lowest free one.
  const tree = PROGRAM_FD + 1 + namespaces.length;
  for (const [number, { source, userNamespace }] of volumes.entries()) {
    const attributes = Buffer.alloc(MOUNT_ATTR_SIZE);
    attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
    attributes.writeBigUInt64LE(BigInt(PROGRAM_FD + 1 + namespaces.indexOf(userNamespace)), 24);
    const { asDirectory, asFile } = places[number]!;
    const move = (to: string): void =>
      list.add(
        'try',
        'attach',
        SYS.move_mount,
        tree,
        empty,
        AT_FDCWD,
        list.text(to),
        MOVE_MOUNT_F_EMPTY_PATH,
      );
    list.add(
      'must',
      `open ${source}`,
      SYS.open_tree,
      AT_FDCWD,
      list.text(source),
      OPEN_TREE_CLONE | AT_RECURSIVE,
    );
    const bytes = list.bytes(attributes);
    list.add(
      'must',
      `map the ids of ${source}`,
      SYS.mount_setattr,
      tree,
      empty,
      AT_EMPTY_PATH,
      bytes,
      MOUNT_ATTR_SIZE,
    );
    move(asDirectory);
    move(asFile);
    list.add('must', 'close a file', SYS.close, tree);
  }
  // Nothing to execute: the program ends behind its last call.
  list.add('must', 'say that all is done', SYS.exit_group, 0);
  return list;
}

/** Runs the calls in a child; the report of one that failed. */
async function runCalls(
  exits: ExitWatcher,
  id: string,
  list: CallList,
  namespaces: readonly number[],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  using held = new DisposableStack();
  const program = held.use(new OwnedFd(sealedProgram(VOLUMES_PROGRAM, list.program())));
  const [report, theirReport] = pipe2();
  held.defer(() => closeFd(report));
  let child: Child;
  try {
    child = await startChild(exits, {
      path: `/proc/self/fd/${PROGRAM_FD}`,
      argv: [VOLUMES_PROGRAM, id],
      env: [],
      fds: [devNullFd(), devNullFd(), devNullFd(), theirReport, program.fd, ...namespaces],
    });
  } finally {
    closeFd(theirReport);
  }
  try {
    const { code } = await waitOrAbort(child.exited, signal);
    if (code === 0) return undefined;
  } catch (error) {
    process.kill(child.pid, SIG.SIGKILL);
    if (!(error instanceof Error) || error.name !== 'TimeoutError') throw error;
    throw new Fault('deadline', 'The source of a volume did not answer in time', {
      hint: 'is it on a network file system whose server is gone?',
      cause: error,
    });
  }
  const bytes = Buffer.alloc(REPORT_SIZE);
  const size = readSync(report, bytes);
  if (size < REPORT_SIZE) throw new Fault('internal', 'The program that mounts volumes ended without a word');
  return bytes;
}

function failureOf(list: CallList, bytes: Buffer, volumes: readonly MappedVolume[]): Fault {
  const report = readReport(bytes, list.dataSize);
  const failed = report.kind === 'failed' ? list.calls[report.call] : undefined;
  if (report.kind !== 'failed' || failed === undefined)
    return new Fault('internal', 'The program that mounts volumes failed without a reason');
  const cause = new ErrnoError(failed.what, report.errno);
  const source = volumes.find((volume) => failed.what.endsWith(` ${volume.source}`))?.source ?? 'a volume';
  if (report.errno === E.ENOENT || report.errno === E.ENOTDIR)
    return new Fault('invalid', `The source ${source} of a mount does not exist`, {
      hint: 'create it on the node, or use a volume type that does',
      cause,
    });
  if (failed.number !== SYS.mount_setattr) return new Fault('internal', cause.message);
  return new Fault('precondition', `The file system of ${source} cannot show its files with mapped ids`, {
    hint: "let the pod use the node's user namespace, or put the volume on a file system that can (ext4, xfs, btrfs, tmpfs)",
    cause,
  });
}
