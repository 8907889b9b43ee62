import * as fs from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { normalPath, WHITEOUT } from '../../image/layers/entry.ts';
import { LayerExtractor } from '../../image/layers/extract.ts';
import { adoptAttributes } from '../../image/layers/implicit.ts';
import type { TarEntry } from '../../image/tar/format.ts';
import { TarReader, type TarSink } from '../../image/tar/reader.ts';
import { isErrno } from '../../native/errno.ts';
import { O, OwnedFd, openPath } from '../../native/fd.ts';
import { openBelow } from '../../native/openat2.ts';
import { checkpointMetadata, type CheckpointMetadata } from './metadata.ts';

/*
 * Reading a checkpoint (see `writeCheckpointArchive`), whoever wrote it: synchronous, for a worker. `check` is called
 * between pieces and throws when nobody waits any more.
 */

const PIECE = 1024 * 1024;
const BLOCK = 512;
const DESCRIPTIONS = ['config.dump', 'spec.dump', 'deleted.files'];
const MAX_DESCRIPTION = 16 * 1024 * 1024;
/** Of the changed files. What they hold is bounded by the archive itself: nothing in it is compressed. */
const MAX_ENTRIES = 4_000_000;
const WRITABLE_BY_OTHERS = 0o022;
const IMAGES = 'checkpoint/';
const DIFF = 'rootfs-diff.tar';
/** How criu names its images (criu/image-desc.c), and the runtimes their list of descriptors. */
const IMAGE_NAME = /^[\w.-]+$/;

const NO_ENTRY: TarEntry = {
  path: '',
  type: 'file',
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 0n,
  link: '',
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** Where a checkpoint is: an archive, or the same files as the layer of an image. */
export type CheckpointPlace = { archive: string } | { layer: string };

/** Where the parts of a checkpoint go. */
export interface UnpackTarget {
  /** Empty directory for criu's images. */
  images: string;
  /** The container's writable layer, empty. */
  upper: string;
  /** Directories of the image's layers, topmost first. */
  lower: string[];
  deleted: string[];
}

/**
 * What a checkpoint says of its container. Throws `not-found`; `permission` for an archive that somebody else than root
 * wrote or could have written: what stands in it decides what its processes may do; `invalid` for what is no checkpoint.
 */
export function readCheckpoint(place: CheckpointPlace, check: () => void): CheckpointMetadata {
  const found = new Map<string, Buffer[]>();
  let collecting: Buffer[] | undefined;
  using source = 'archive' in place ? new Archive(place.archive) : new Layer(place.layer);
  source.read(
    {
      begin({ path: name, type, size }) {
        const plain = normalPath(name);
        if (type !== 'file' || !DESCRIPTIONS.includes(plain)) return;
        if (size > MAX_DESCRIPTION) throw new Fault('invalid', `Its ${plain} has ${size} bytes`);
        collecting = [];
        found.set(plain, collecting);
      },
      content(bytes) {
        collecting?.push(Buffer.from(bytes));
      },
      end() {
        collecting = undefined;
      },
    },
    () => collecting === undefined,
    check,
  );
  const whole = (name: string): Buffer | undefined => {
    const pieces = found.get(name);
    return pieces && Buffer.concat(pieces);
  };
  const [config, spec] = [whole('config.dump'), whole('spec.dump')];
  if (config === undefined || spec === undefined)
    throw new Fault('invalid', 'It is no checkpoint: it has no config.dump and spec.dump');
  return checkpointMetadata({ config, spec, deleted: whole('deleted.files') });
}

/**
 * Unpacks criu's images and the container's changed files; paths that lead out of their place are refused, like those
 * of an image's layers. Throws `invalid` for a damaged or hostile archive, `exhausted` on a full disk.
 */
export function unpackCheckpoint(place: CheckpointPlace, target: UnpackTarget, check: () => void): void {
  using source = 'archive' in place ? new Archive(place.archive) : new Layer(place.layer);
  const extractor = new LayerExtractor(target.upper, { bytes: source.size, entries: MAX_ENTRIES });
  const sink = new CheckpointSink(target.images, extractor);
  try {
    source.read(sink, () => false, check);
    sink.finish();
    for (const gone of target.deleted) markDeleted(extractor, gone);
    const { implicit } = extractor.finish();
    adoptAttributes(target.upper, implicit, target.lower);
  } finally {
    sink.close();
    extractor.close();
  }
}

/** An open archive. */
class Archive implements Disposable {
  readonly #fd: number;
  readonly size: number;

  constructor(path: string) {
    using undo = new DisposableStack();
    try {
      // A fifo would keep this thread until somebody writes.
      this.#fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      throw new Fault('not-found', 'It is not there');
    }
    undo.defer(() => fs.closeSync(this.#fd));
    const stat = fs.fstatSync(this.#fd);
    if (!stat.isFile()) throw new Fault('invalid', 'It is no file');
    if (stat.uid !== process.geteuid!() || (stat.mode & WRITABLE_BY_OTHERS) !== 0)
      throw new Fault(
        'permission',
        'Others than root can write it, and it decides what its processes may do',
        {
          hint: 'if you trust it: chown root and chmod 600',
        },
      );
    this.size = stat.size;
    undo.move();
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd);
  }

  /** Reads it from the beginning to its end; `skips` says when the entry at hand may be passed over. */
  read(sink: TarSink, skips: () => boolean, check: () => void): void {
    const end = Buffer.alloc(BLOCK);
    if (
      this.size < BLOCK ||
      fs.readSync(this.#fd, end, 0, BLOCK, this.size - BLOCK) < BLOCK ||
      end.some(Boolean)
    )
      throw new Fault('invalid', 'It is no whole tar archive: its end is missing');
    const reader = new TarReader(sink);
    const window = Buffer.allocUnsafe(PIECE);
    for (let at = 0; at < this.size;) {
      check();
      const read = fs.readSync(this.#fd, window, 0, PIECE, at);
      if (read === 0) break;
      reader.push(window.subarray(0, read));
      at += read;
      if (reader.skippable === 0 || !skips()) continue;
      at += reader.skippable;
      reader.skip();
      if (at > this.size) throw new Fault('invalid', 'It ends in the middle of an entry');
    }
    reader.finish();
  }
}

/** A layer whose files are those of an archive. Nobody writes to it; its links lead to nothing that is read. */
class Layer implements Disposable {
  readonly #root: OwnedFd;

  constructor(path: string) {
    this.#root = new OwnedFd(openPath(path, O.PATH | O.DIRECTORY));
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }

  /** Nothing in it is compressed. */
  get size(): number {
    return this.#stat(DIFF)?.size ?? 0;
  }

  read(sink: TarSink, skips: () => boolean, check: () => void): void {
    for (const path of [...DESCRIPTIONS, DIFF, ...this.#images()]) {
      check();
      const stat = this.#stat(path);
      if (stat === undefined) continue;
      const { size } = stat;
      sink.begin({ ...NO_ENTRY, path, size, type: stat.isFile() ? 'file' : 'symlink' });
      if (stat.isFile() && !skips()) this.#content(path, sink, check);
      sink.end();
    }
  }

  #content(path: string, sink: TarSink, check: () => void): void {
    const fd = openBelow(this.#root.fd, path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    try {
      const window = Buffer.allocUnsafe(PIECE);
      for (let read = 1; read > 0;) {
        check();
        read = fs.readSync(fd, window, 0, PIECE, null);
        sink.content(window.subarray(0, read));
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  #images(): string[] {
    try {
      using directory = new OwnedFd(openBelow(this.#root.fd, IMAGES, O.PATH | O.DIRECTORY));
      return fs.readdirSync(`/proc/self/fd/${directory.fd}`).map((name) => `${IMAGES}${name}`);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return [];
      throw error;
    }
  }

  /** Undefined when it is not there. */
  #stat(path: string): fs.Stats | undefined {
    try {
      using file = new OwnedFd(openBelow(this.#root.fd, path, O.PATH | fs.constants.O_NOFOLLOW));
      return fs.fstatSync(file.fd);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      if (isErrno(error, 'ELOOP')) throw new Fault('invalid', `Its ${path} is a symbolic link`);
      throw error;
    }
  }
}

/** Sends the members of an archive where they belong; what it does not know it leaves. */
class CheckpointSink implements TarSink {
  readonly #images: string;
  readonly #extractor: LayerExtractor;
  #diff: TarReader | undefined;
  #image: number | undefined;
  #hadDiff = false;
  #hadImages = false;

  constructor(images: string, extractor: LayerExtractor) {
    this.#images = images;
    this.#extractor = extractor;
  }

  begin(entry: TarEntry): void {
    const path = normalPath(entry.path);
    if (path === DIFF) {
      if (entry.type !== 'file') throw new Fault('invalid', `Its ${DIFF} is no file`);
      if (this.#hadDiff) throw new Fault('invalid', `It has ${DIFF} twice`);
      this.#hadDiff = true;
      this.#diff = new TarReader(this.#extractor);
    } else if (path.startsWith(IMAGES)) this.#beginImage(path.slice(IMAGES.length), entry);
  }

  content(bytes: Buffer): void {
    if (this.#diff !== undefined) this.#diff.push(bytes);
    else if (this.#image !== undefined) writeWhole(this.#image, bytes);
  }

  end(): void {
    this.#diff?.finish();
    this.#diff = undefined;
    this.close();
  }

  close(): void {
    if (this.#image !== undefined) fs.closeSync(this.#image);
    this.#image = undefined;
  }

  finish(): void {
    if (!this.#hadImages) throw new Fault('invalid', 'It has no images of criu');
  }

  #beginImage(name: string, { type }: TarEntry): void {
    if (type !== 'file' || !IMAGE_NAME.test(name))
      throw new Fault('invalid', `${JSON.stringify(name.slice(0, 300))} is no image of criu`);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    try {
      this.#image = fs.openSync(join(this.#images, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      throw new Fault('invalid', `It has the image ${JSON.stringify(name)} twice`);
    }
    this.#hadImages = true;
  }
}

function writeWhole(fd: number, bytes: Buffer): void {
  try {
    for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done);
  } catch (error) {
    if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    throw new Fault('exhausted', 'There is no room for it', { cause: error });
  }
}

/** As an image's layer says it. What the changed files have in that place hides what was there anyway. */
function markDeleted(extractor: LayerExtractor, path: string): void {
  const plain = normalPath(path);
  if (plain === '') throw new Fault('invalid', 'It deletes the root directory');
  const slash = plain.lastIndexOf('/') + 1;
  extractor.begin({ ...NO_ENTRY, path: `${plain.slice(0, slash)}${WHITEOUT}${plain.slice(slash)}` });
  extractor.end();
}
