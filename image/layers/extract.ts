import * as fs from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { lutimesNs, makedev, mknod } from '../../native/node.ts';
import { startWriteback } from '../../native/writeback.ts';
import { fsetxattr, lsetxattr } from '../../native/xattr.ts';
import type { TarEntry } from '../tar/format.ts';
import { nameBytes, type TarSink } from '../tar/reader.ts';
import { contentIsKept, entryFault, join, normalPath, tooMuch, WHITEOUT } from './entry.ts';
import { LayerTree } from './layer-tree.ts';
import type { RecipeWriter } from './recipe.ts';

/** Bounds against archives that unpack to more than a node can hold. */
export interface ExtractLimits {
  bytes: number;
  entries: number;
}

/** What a layer became on disk. */
export interface Extracted {
  /** Bytes of disk: contents in whole blocks, and one block a directory. */
  bytes: number;
  inodes: number;
  /** Directories that no entry described. */
  implicit: string[];
  /** Attributes of the layer's root, when an entry gave them. */
  root: RootAttributes | undefined;
  /** Extended attributes that the file system here does not keep. */
  droppedXattrs: number;
}

export interface RootAttributes {
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
}

/** A file that is being written. */
interface OpenFile {
  fd: number;
  path: string;
  entry: TarEntry;
  /** Bytes so far, and how many of them the disk has been told to begin with. */
  written: number;
  begun: number;
}

/** Bytes of one file after which the disk begins with them: what waited for the sync at the end would wait longer. */
const WRITEBACK = 4 * 1024 * 1024;
const DISK_BLOCK = 4096;
/** AUFS's own records, one of which means "opaque" (OCI image specification, layer.md, "Opaque Whiteout"). */
const WHITEOUT_META = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';
const S_ISGID = 0o2000;
const NODE_TYPE = { char: 0o020000, block: 0o060000, fifo: 0o010000 };
const CREATE = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
const SECOND = 1_000_000_000n;

/**
 * Unpacks the entries of a layer into `root`, an empty directory that nobody else writes in: contents, owners,
 * modes, times, attributes; whiteouts as overlayfs knows them. Synchronous: it belongs on a worker thread.
 *
 * Nothing outside of `root` is touched (see LayerTree). Faults: `invalid` for entries that have no place in a
 * layer, `exhausted` beyond the limits and on a full disk.
 */
export class LayerExtractor implements TarSink {
  readonly #tree: LayerTree;
  readonly #limits: ExtractLimits;
  readonly #umask = process.umask();
  /** A directory hands its group to what is made inside: new files may have another one than this process'. */
  #setgid: boolean;
  /** Times of directories are set last: what is made inside changes them. */
  readonly #directoryTimes = new Map<string, bigint>();
  #open: OpenFile | undefined;
  #entries = 0;
  #bytes = 0;
  #inodes = 1;
  #disk = DISK_BLOCK;
  #root: RootAttributes | undefined;
  #dropped = 0;
  readonly #recipe: RecipeWriter | undefined;

  /** `recipe` is told of what the directory does not keep; its owner finishes it. */
  constructor(root: string, limits: ExtractLimits, recipe?: RecipeWriter) {
    this.#tree = new LayerTree(root);
    this.#limits = limits;
    this.#recipe = recipe;
    this.#setgid = (fs.statSync(root).mode & S_ISGID) !== 0;
  }

  structure(bytes: Buffer): void {
    this.#recipe?.add(bytes);
  }

  begin(entry: TarEntry): void {
    this.#bytes += entry.size;
    if (this.#bytes > this.#limits.bytes) throw tooMuch(`${this.#limits.bytes} bytes`);
    if (++this.#entries > this.#limits.entries) throw tooMuch(`${this.#limits.entries} entries`);
    try {
      this.#place(entry);
    } catch (error) {
      throw entryFault(entry, error);
    }
    // One name can bring about thousands of directories.
    const made = this.#entries + this.#tree.implicitCount;
    if (made > this.#limits.entries) throw tooMuch(`${this.#limits.entries} entries`);
  }

  content(bytes: Buffer): void {
    const open = this.#open;
    if (open === undefined) {
      this.#recipe?.add(bytes);
      return;
    }
    try {
      for (let done = 0; done < bytes.length;) done += fs.writeSync(open.fd, bytes, done);
      open.written += bytes.length;
      if (open.written - open.begun >= WRITEBACK) {
        startWriteback(open.fd, open.begun, open.written - open.begun);
        open.begun = open.written;
      }
    } catch (error) {
      throw entryFault(open.entry, error);
    }
  }

  end(): void {
    const open = this.#open;
    if (open === undefined) return;
    try {
      this.#finishFile(open.fd, open.path, open.entry);
    } catch (error) {
      throw entryFault(open.entry, error);
    }
  }

  /** Sets what had to wait for the last entry. To be called once, when the archive was read to its end. */
  finish(): Extracted {
    for (const [path, time] of this.#directoryTimes) {
      if (this.#tree.isDirectory(path)) lutimesNs(this.#tree.place(path), time, time);
    }
    const implicit = this.#tree.implicit;
    this.#tree.close();
    return {
      bytes: this.#disk + implicit.length * DISK_BLOCK,
      inodes: this.#inodes + implicit.length,
      implicit,
      root: this.#root,
      droppedXattrs: this.#dropped,
    };
  }

  /** Gives up: closes what is open. No error when the work was finished. */
  close(): void {
    if (this.#open !== undefined) fs.closeSync(this.#open.fd);
    this.#open = undefined;
    this.#tree.close();
  }

  #place(entry: TarEntry): void {
    const path = normalPath(entry.path);
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (path === '') {
      if (entry.type !== 'directory') throw new Fault('invalid', 'it would replace the root directory');
      this.#root = { mode: entry.mode, uid: entry.uid, gid: entry.gid, mtimeNs: entry.mtimeNs };
      this.#setAttributes('', entry);
      return;
    }
    const parent = this.#tree.directory(path.slice(0, Math.max(0, slash)), true);
    if (name.startsWith(WHITEOUT)) this.#whiteout(parent, name);
    else this.#make(join(parent, name), entry);
  }

  #make(path: string, entry: TarEntry): void {
    const kind = entry.type;
    switch (kind) {
      case 'file': {
        let fd = -1;
        if (contentIsKept(entry)) this.#recipe?.file(path === normalPath(entry.path) ? undefined : path);
        this.#create(path, (place) => (fd = fs.openSync(place, CREATE, entry.mode & 0o777)));
        this.#open = { fd, path, entry, written: 0, begun: 0 };
        this.#count(entry.size);
        return;
      }
      case 'directory':
        if (this.#tree.makeDirectory(path, entry.mode & 0o777) === 'other') this.#recipe?.abandon();
        this.#setAttributes(path, entry);
        this.#count(DISK_BLOCK);
        return;
      case 'symlink':
        if (entry.link === '' || entry.link.includes('\0')) throw new Fault('invalid', 'it leads nowhere');
        this.#create(path, (place) => fs.symlinkSync(nameBytes('', entry.link), place));
        this.#tree.noteLink(path, entry.link);
        this.#setAttributes(path, entry);
        this.#count(0);
        return;
      case 'hardlink':
        this.#hardlink(path, entry);
        return;
      case 'char':
      case 'block':
      case 'fifo': {
        const device = makedev(entry.major, entry.minor);
        this.#create(path, (place) => mknod(place, NODE_TYPE[kind] | (entry.mode & 0o777), device));
        this.#setAttributes(path, entry);
        this.#count(0);
        return;
      }
      default:
        kind satisfies never;
    }
  }

  /** What a later entry replaces is not in the directory, and the stream could not be made again. */
  #create(path: string, make: (place: string | Buffer) => void): void {
    if (this.#tree.create(path, make) === 'other') this.#recipe?.abandon();
  }

  /** The target counts from the layer's root, whether it starts with a slash or not. */
  #hardlink(path: string, entry: TarEntry): void {
    const link = normalPath(entry.link);
    const slash = link.lastIndexOf('/');
    const target = join(
      this.#tree.directory(link.slice(0, Math.max(0, slash)), false),
      link.slice(slash + 1),
    );
    if (this.#tree.isDirectory(target)) throw new Fault('invalid', 'it is a hard link to a directory');
    if (target === path) return;
    // link(2) does not follow a symbolic link at the end of the target.
    fs.lstatSync(this.#tree.place(target));
    this.#create(path, (place) => fs.linkSync(this.#tree.place(target), place));
    const symlink = this.#tree.linkAt(target);
    if (symlink !== undefined) this.#tree.noteLink(path, symlink);
  }

  #whiteout(parent: string, name: string): void {
    if (name === OPAQUE) {
      this.#tree.markOpaque(parent);
      return;
    }
    if (name.startsWith(WHITEOUT_META)) return;
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw new Fault('invalid', 'it hides nothing');
    this.#tree.whiteout(join(parent, hidden), (place) => mknod(place, NODE_TYPE.char, 0));
    this.#count(0);
  }

  /** Owner before mode (chown clears setuid) and before attributes (it clears capabilities); times last. */
  #finishFile(fd: number, path: string, entry: TarEntry): void {
    if (entry.uid !== 0 || entry.gid !== 0 || this.#setgid) fs.fchownSync(fd, entry.uid, entry.gid);
    if ((entry.mode & (0o7000 | this.#umask)) !== 0) fs.fchmodSync(fd, entry.mode);
    if (entry.xattrs.size > 0) this.#setXattrs(entry, (name, value) => fsetxattr(fd, name, value));
    const { mtimeNs } = entry;
    // Node takes a time before the epoch for the present, and has no nanoseconds.
    const plain = mtimeNs >= 0n && mtimeNs % SECOND === 0n;
    if (plain) fs.futimesSync(fd, Number(mtimeNs / SECOND), Number(mtimeNs / SECOND));
    fs.closeSync(fd);
    this.#open = undefined;
    if (!plain) lutimesNs(this.#tree.place(path), mtimeNs, mtimeNs);
  }

  /** Attributes of what has no open file. */
  #setAttributes(path: string, entry: TarEntry): void {
    const place = this.#tree.place(path);
    fs.lchownSync(place, entry.uid, entry.gid);
    if (entry.type !== 'symlink') fs.chmodSync(place, entry.mode);
    if (entry.xattrs.size > 0) this.#setXattrs(entry, (name, value) => lsetxattr(place, name, value));
    if (entry.type === 'directory') {
      this.#directoryTimes.set(path, entry.mtimeNs);
      this.#setgid ||= (entry.mode & S_ISGID) !== 0;
    } else lutimesNs(place, entry.mtimeNs, entry.mtimeNs);
  }

  #setXattrs(entry: TarEntry, set: (name: string, value: Buffer) => void): void {
    for (const [name, value] of entry.xattrs) {
      // overlayfs's own marks would redirect directories of the container: only we set them.
      if (name.startsWith('trusted.overlay.')) {
        this.#dropped++;
        continue;
      }
      try {
        set(name, value);
      } catch (error) {
        if (isErrno(error, 'ENOSPC', 'E2BIG', 'ERANGE')) {
          const what = `its attribute ${JSON.stringify(name.slice(0, 100))} of ${value.length} bytes has no room`;
          throw new Fault('exhausted', what, { cause: error });
        }
        // user.* is only for files and directories; others depend on the file system. Peers go on without as well.
        if (!isErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM')) throw error;
        this.#dropped++;
      }
    }
  }

  #count(bytes: number): void {
    this.#inodes++;
    this.#disk += Math.ceil(bytes / DISK_BLOCK) * DISK_BLOCK;
  }
}
