import * as fs from 'node:fs';
import { createHash } from 'node:crypto';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { O, OwnedFd, openPath } from '../../native/fd.ts';
import { openBelow } from '../../native/openat2.ts';
import type { TarEntry } from '../tar/format.ts';
import { nameBytes, TarReader } from '../tar/reader.ts';
import { contentIsKept, normalPath } from './entry.ts';
import { readRecipe, type RecipeFacts } from './recipe.ts';

/** A layer on disk and how its stream was made. */
export interface LayerOnDisk {
  directory: string;
  recipe: string;
  facts: RecipeFacts;
  diffId: string;
}

const PIECE = 1024 * 1024;
const READ = O.RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

/**
 * The layer's tar stream, byte by byte as it came. Throws Fault('data-loss') when a file is missing or has another
 * size, owner or mode than the stream says; whether the contents are right, only the digest tells. Synchronous.
 */
export function* rebuildTar({ directory, recipe, facts }: LayerOnDisk): Generator<Buffer> {
  const moved = new Map(facts.moved);
  const todo: (Buffer | { path: string; entry: TarEntry })[] = [];
  let files = 0;
  const check = (entry: TarEntry): void => {
    if (contentIsKept(entry)) todo.push({ path: moved.get(files++) ?? normalPath(entry.path), entry });
  };
  const sink = {
    begin: check,
    content: (bytes: Buffer) => void todo.push(Buffer.from(bytes)),
    end() {},
    structure: (bytes: Buffer) => void todo.push(Buffer.from(bytes)),
  };
  const reader = new TarReader(sink, contentIsKept);
  using root = new OwnedFd(openPath(directory, O.PATH | O.DIRECTORY));
  for (const part of readRecipe(recipe)) {
    reader.push(part);
    for (const next of todo.splice(0)) {
      if (Buffer.isBuffer(next)) yield next;
      else yield* contentOf(root.fd, next.path, next.entry);
    }
  }
  reader.finish();
}

/**
 * Reads the whole layer. Throws Fault('data-loss') with what is wrong with it. Synchronous; `check` may throw between
 * two pieces.
 */
export function verifyLayer(layer: LayerOnDisk, check: () => void = () => {}): void {
  const algorithm = layer.diffId.slice(0, layer.diffId.indexOf(':'));
  const hash = createHash(algorithm);
  for (const bytes of rebuildTar(layer)) {
    check();
    hash.update(bytes);
  }
  const actual = `${algorithm}:${hash.digest('hex')}`;
  if (actual !== layer.diffId)
    throw new Fault('data-loss', `The content of the layer is ${actual}, expected ${layer.diffId}`);
}

function* contentOf(root: number, path: string, entry: TarEntry): Generator<Buffer> {
  using file = new OwnedFd(openFile(root, path));
  const stat = fs.fstatSync(file.fd);
  const differs =
    (!stat.isFile() && 'is no regular file') ||
    (stat.size !== entry.size && `has ${stat.size} bytes instead of ${entry.size}`) ||
    ((stat.mode & 0o7777) !== entry.mode && `has the mode ${(stat.mode & 0o7777).toString(8)}`) ||
    ((stat.uid !== entry.uid || stat.gid !== entry.gid) && `belongs to ${stat.uid}:${stat.gid}`);
  if (differs !== false) throw new Fault('data-loss', `The file ${JSON.stringify(path)} ${differs}`);
  for (let left = entry.size; left > 0;) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE, left));
    const got = readPiece(file.fd, piece, path);
    if (got === 0) throw new Fault('data-loss', `The file ${JSON.stringify(path)} ends too early`);
    left -= got;
    yield piece.subarray(0, got);
  }
}

function openFile(root: number, path: string): number {
  try {
    return openBelow(root, nameBytes('', path), READ);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EIO', 'EUCLEAN')) throw cause;
    throw new Fault('data-loss', `The file ${JSON.stringify(path)} of the layer cannot be opened`, { cause });
  }
}

function readPiece(fd: number, piece: Buffer, path: string): number {
  try {
    return fs.readSync(fd, piece, 0, piece.length, null);
  } catch (cause) {
    throw new Fault('data-loss', `The file ${JSON.stringify(path)} of the layer cannot be read`, { cause });
  }
}
