import * as fs from 'node:fs';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Fault } from '../../ground/fault.ts';

/**
 * All of a layer's tar stream but the contents of its files, which lie in the layer's directory: with both, the very
 * bytes of the stream can be made again, to save the layer or to see whether it is still whole.
 *
 * The file is a row of parts: the length of the part in four bytes (little endian), then one zstd frame.
 */

const PART = 1024 * 1024;
/** Headers of four million files, and more. A stream with more of them is refused a recipe, not its place. */
const MAX_BYTES = 4 * 1024 ** 3;
const LENGTH_BYTES = 4;
/** Files that went through a symbolic link of the archive lie elsewhere than their name says. More is an attack. */
const MAX_MOVED = 1000;

/** What the record of a layer keeps of its recipe. */
export interface RecipeFacts {
  /** Bytes of the tar stream. */
  tarBytes: number;
  /** Files that do not lie where their entry says: [number of the file entry, path in the layer]. */
  moved: [number, string][];
}

/** Writes the recipe of a stream while it is unpacked. Synchronous: it belongs on a worker thread. */
export class RecipeWriter {
  readonly #fd: number;
  readonly #path: string;
  readonly #part = Buffer.allocUnsafe(PART);
  readonly #moved: [number, string][] = [];
  #filled = 0;
  #total = 0;
  #files = 0;
  #over = false;

  constructor(path: string) {
    this.#path = path;
    this.#fd = fs.openSync(path, 'wx', 0o600);
  }

  /** Takes bytes of the stream that are no file's content. Errors are those of a write. */
  add(bytes: Buffer): void {
    if (this.#over) return;
    this.#total += bytes.length;
    if (this.#total > MAX_BYTES) return this.abandon();
    for (let done = 0; done < bytes.length;) {
      const part = bytes.subarray(done, done + PART - this.#filled);
      part.copy(this.#part, this.#filled);
      this.#filled += part.length;
      done += part.length;
      if (this.#filled === PART) this.#flush();
    }
  }

  /** Notes a file whose content is taken from the directory; `moved` when it is not where its entry says. */
  file(moved: string | undefined): void {
    if (moved !== undefined) this.#moved.push([this.#files, moved]);
    this.#files++;
    if (this.#moved.length > MAX_MOVED) this.abandon();
  }

  /** The stream cannot be made again: its content was not kept. Does nothing the second time. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    fs.closeSync(this.#fd);
    fs.rmSync(this.#path, { force: true });
  }

  /** The end of the stream, which had `tarBytes`. undefined when there is no recipe. */
  finish(tarBytes: number): RecipeFacts | undefined {
    if (this.#over) return undefined;
    if (this.#filled > 0) this.#flush();
    this.#over = true;
    fs.closeSync(this.#fd);
    return { tarBytes, moved: this.#moved };
  }

  #flush(): void {
    const frame = zstdCompressSync(this.#part.subarray(0, this.#filled));
    const head = Buffer.alloc(LENGTH_BYTES);
    head.writeUInt32LE(frame.length);
    for (const bytes of [head, frame])
      for (let done = 0; done < bytes.length;) done += fs.writeSync(this.#fd, bytes, done);
    this.#filled = 0;
  }
}

/** The parts of a recipe, in order. Throws Fault('data-loss') when the file is damaged. */
export function* readRecipe(path: string): Generator<Buffer> {
  const fd = fs.openSync(path, fs.constants.O_RDONLY);
  try {
    const head = Buffer.alloc(LENGTH_BYTES);
    while (readInto(fd, head)) {
      const length = head.readUInt32LE();
      const frame = Buffer.alloc(Math.min(length, 2 * PART));
      if (length !== frame.length || !readInto(fd, frame)) throw damaged(path);
      yield inflated(frame, path);
    }
  } finally {
    fs.closeSync(fd);
  }
}

function inflated(frame: Buffer, path: string): Buffer {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: PART });
  } catch (cause) {
    throw damaged(path, cause);
  }
}

/** Fills the buffer; false at the end of the file. */
function readInto(fd: number, buffer: Buffer): boolean {
  let done = 0;
  while (done < buffer.length) {
    const got = fs.readSync(fd, buffer, done, buffer.length - done, null);
    if (got === 0) break;
    done += got;
  }
  if (done > 0 && done < buffer.length) throw new Fault('data-loss', 'A recipe ends in the middle of a part');
  return done > 0;
}

function damaged(path: string, cause?: unknown): Fault {
  return new Fault('data-loss', `The recipe ${path} is damaged`, { cause });
}
