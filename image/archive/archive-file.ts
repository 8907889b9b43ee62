import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { TarReader } from '../tar/reader.ts';

/** The files of an image archive, wherever they lie. */
export interface ArchiveSource extends AsyncDisposable {
  has(name: string): boolean;
  /** Bytes of a member. Throws Fault('not-found'). */
  size(name: string): number;
  /** A small member whole. Throws Fault('not-found'), or Fault('invalid') when it is larger than `max`. */
  read(name: string, max: number): Promise<Buffer>;
  /** A member piece by piece. */
  stream(name: string, signal: AbortSignal): AsyncIterable<Buffer>;
}

interface Member {
  offset: number;
  size: number;
}

const WINDOW = 64 * 1024;
const PIECE = 1024 * 1024;
/** Links between members are followed this far. */
const MAX_LINKS = 8;

/**
 * A tar file whose members are read in any order: the descriptions of an image archive often come last. It is
 * scanned once, header by header; a compressed one is unpacked into `directory` first.
 */
export class ArchiveFile implements ArchiveSource {
  readonly #file: FileHandle;
  readonly #temporary: string | undefined;
  readonly #members = new Map<string, Member>();
  readonly #links = new Map<string, string>();

  private constructor(file: FileHandle, temporary: string | undefined) {
    this.#file = file;
    this.#temporary = temporary;
  }

  /**
   * Opens and scans the archive at `path`. Faults: `not-found`, `invalid` for what is no tar, `exhausted` for more
   * than `maxBytes` of it.
   */
  static async open(
    path: string,
    options: { directory: string; maxBytes: number; signal: AbortSignal },
  ): Promise<ArchiveFile> {
    const { temporary, file } = await openPlain(path, options);
    const archive = new ArchiveFile(file, temporary);
    try {
      await archive.#scan(options.signal);
      return archive;
    } catch (error) {
      await archive[Symbol.asyncDispose]();
      throw error;
    }
  }

  has(name: string): boolean {
    return this.#member(name) !== undefined;
  }

  /** Bytes of a member. Throws Fault('not-found'). */
  size(name: string): number {
    return this.#need(name).size;
  }

  /** A small member whole. Throws Fault('not-found'), or Fault('invalid') when it is larger than `max`. */
  async read(name: string, max: number): Promise<Buffer> {
    const { offset, size } = this.#need(name);
    if (size > max) throw new Fault('invalid', `${JSON.stringify(name)} has ${size} bytes, more than ${max}`);
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await this.#file.read(bytes, 0, size, offset);
    if (bytesRead === size) return bytes;
    throw new Fault('invalid', 'The archive ends in the middle of an entry');
  }

  /** A member piece by piece. */
  async *stream(name: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { offset, size } = this.#need(name);
    for (let done = 0; done < size;) {
      signal.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(PIECE, size - done));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, offset + done);
      if (bytesRead === 0) throw new Fault('invalid', 'The archive ends in the middle of an entry');
      done += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (this.#temporary !== undefined) await rm(this.#temporary, { force: true });
  }

  async #scan(signal: AbortSignal): Promise<void> {
    const reader: TarReader = new TarReader({
      begin: (entry) => {
        const name = posix.normalize(entry.path);
        if (entry.type === 'file') this.#members.set(name, { offset: reader.position, size: entry.size });
        if (entry.type === 'symlink') this.#links.set(name, posix.join(posix.dirname(name), entry.link));
        if (entry.type === 'hardlink') this.#links.set(name, posix.normalize(entry.link));
      },
      content() {},
      end() {},
    });
    const window = Buffer.alloc(WINDOW);
    for (let at = 0; ;) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(window, 0, WINDOW, at);
      if (bytesRead === 0) break;
      reader.push(window.subarray(0, bytesRead));
      at += bytesRead + reader.skippable;
      reader.skip();
    }
    reader.finish();
  }

  #need(name: string): Member {
    const member = this.#member(name);
    if (member !== undefined) return member;
    throw new Fault('not-found', `The archive does not have ${JSON.stringify(name)}`);
  }

  #member(name: string): Member | undefined {
    let at: string | undefined = posix.normalize(name);
    for (let followed = 0; at !== undefined && followed <= MAX_LINKS; followed++) {
      const member = this.#members.get(at);
      if (member !== undefined) return member;
      at = this.#links.get(at);
    }
    return undefined;
  }
}

async function openPlain(
  path: string,
  { directory, maxBytes, signal }: { directory: string; maxBytes: number; signal: AbortSignal },
): Promise<{ file: FileHandle; temporary: string | undefined }> {
  const file = await openOrFault(path);
  const head = Buffer.alloc(4);
  await file.read(head, 0, head.length, 0);
  const decoder = decoderFor(head);
  if (decoder === undefined) return { file, temporary: undefined };
  await file.close();
  const temporary = join(directory, `.archive-${Math.random().toString(36).slice(2)}`);
  try {
    const output = createWriteStream(temporary, { flags: 'wx', mode: 0o600 });
    await pipeline(createReadStream(path), decoder, bounded(maxBytes), output, { signal });
    return { file: await open(temporary), temporary };
  } catch (error) {
    await rm(temporary, { force: true });
    signal.throwIfAborted();
    if (error instanceof Fault) throw error;
    const kind = isErrno(error, 'ENOSPC', 'EDQUOT') ? 'exhausted' : 'invalid';
    throw new Fault(kind, `The archive ${path} cannot be decompressed`, { cause: error });
  }
}

async function openOrFault(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (cause) {
    const kind = isErrno(cause, 'ENOENT', 'ENOTDIR') ? 'not-found' : 'internal';
    throw new Fault(kind, `The archive ${path} cannot be opened`, { cause });
  }
}

function decoderFor(head: Buffer): ReturnType<typeof createGunzip | typeof createZstdDecompress> | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip({ chunkSize: PIECE });
  if (head.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress({ chunkSize: PIECE });
  return undefined;
}

function bounded(max: number): Transform {
  let size = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, pass) {
      size += piece.length;
      if (size > max) pass(new Fault('exhausted', `The archive holds more than ${max} bytes`));
      else pass(null, piece);
    },
  });
}
