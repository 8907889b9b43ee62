import { mkdirSync, rmSync, unlinkSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { O, OwnedFd, openPath } from '../../native/fd.ts';
import { openBelow } from '../../native/openat2.ts';
import { lsetxattr } from '../../native/xattr.ts';
import { nameBytes } from '../tar/reader.ts';

/** Follows as many symbolic links in one path as the kernel does (path_resolution(7)). */
const MAX_LINKS = 40;
/** Directories that stay open: archives mostly go from one directory to the next. */
const OPEN_DIRECTORIES = 32;

/**
 * What has been made below one layer directory. The directory was empty and nobody else writes in it, so this
 * bookkeeping is the truth about it: a path is handed to the kernel only when every directory on the way is known
 * to be a real one, made here. Symbolic links on the way are followed here, inside the layer, never by the kernel,
 * which is asked to make sure: every directory is opened by openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_SYMLINKS,
 * and what is made, is made in that open directory.
 *
 * Paths are relative, without `.`, `..` and double slashes; the empty path is the layer's root.
 */
export class LayerTree {
  readonly #root: OwnedFd;
  /** Least recently used first. */
  readonly #open = new Map<string, OwnedFd>();
  /** Paths in the collections below, by the directory that holds them. */
  readonly #inside = new Map<string, Set<string>>();
  readonly #directories = new Set<string>(['']);
  readonly #links = new Map<string, string>();
  readonly #whiteouts = new Set<string>();
  readonly #implicit = new Set<string>();

  constructor(root: string) {
    this.#root = new OwnedFd(openPath(root, O.PATH | O.DIRECTORY));
  }

  /** Closes what is open. No error when it is closed already. */
  close(): void {
    for (const directory of this.#open.values()) directory.close();
    this.#open.clear();
    this.#root.close();
  }

  /** Directories that no entry described: they stand for those of the layers below, whose attributes they take. */
  get implicit(): string[] {
    return [...this.#implicit];
  }

  /** How many of them there are. */
  get implicitCount(): number {
    return this.#implicit.size;
  }

  /** The path for the kernel: a name in an open directory. It is good until the next call. */
  place(path: string): string | Buffer {
    if (path === '') return `/proc/self/fd/${this.#root.fd}/.`;
    const slash = path.lastIndexOf('/');
    return nameBytes(
      `/proc/self/fd/${this.#directoryFd(path.slice(0, Math.max(0, slash)))}/`,
      path.slice(slash + 1),
    );
  }

  isDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  /** The real directory that `path` leads to; missing ones are made when `make` is set. Throws Fault('invalid'). */
  directory(path: string, make: boolean): string {
    if (this.#directories.has(path)) return path;
    const todo = path.split('/').toReversed();
    let at = '';
    let followed = 0;
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
        continue;
      }
      const next = at === '' ? part : `${at}/${part}`;
      const target = this.#links.get(next);
      if (target === undefined) {
        if (!this.#directories.has(next)) this.#makeImplicit(next, make);
        at = next;
        continue;
      }
      if (++followed > MAX_LINKS)
        throw new Fault('invalid', `${quote(path)} goes through too many symbolic links`);
      if (target.startsWith('/')) at = '';
      todo.push(...target.split('/').toReversed());
    }
    return at;
  }

  /** Makes the directory an entry describes, or takes the one that is there. Gives what it replaced, like `create`. */
  makeDirectory(path: string, mode: number): 'whiteout' | 'other' | undefined {
    this.#implicit.delete(path);
    if (this.#directories.has(path)) return undefined;
    const hidden = this.create(path, (place) => mkdirSync(place, { mode }));
    this.#note(this.#directories, path);
    // The layer says that what stood there below is gone, and has a new directory of that name.
    if (hidden === 'whiteout') this.markOpaque(path);
    return hidden;
  }

  /** Makes what is not a directory with `make`; whatever stands there is taken away first. */
  create(path: string, make: (place: string | Buffer) => void): 'whiteout' | 'other' | undefined {
    const place = this.place(path);
    try {
      make(place);
      return undefined;
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    const before = this.#remove(path);
    make(place);
    return before;
  }

  /** The target of the symbolic link at `path`. */
  linkAt(path: string): string | undefined {
    return this.#links.get(path);
  }

  noteLink(path: string, target: string): void {
    this.#links.set(path, target);
    this.#noteInside(path);
  }

  /** Marks `path` as gone with `make`, unless the layer itself has something there, which already hides what is below. */
  whiteout(path: string, make: (place: string | Buffer) => void): void {
    if (this.#directories.has(path)) {
      this.markOpaque(path);
      return;
    }
    try {
      make(this.place(path));
      this.#note(this.#whiteouts, path);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
  }

  /** overlayfs.rst, "whiteouts and opaque directories": nothing of the layers below shows in this directory. */
  markOpaque(path: string): void {
    lsetxattr(this.place(path), 'trusted.overlay.opaque', OPAQUE);
  }

  #makeImplicit(path: string, make: boolean): void {
    if (!make) throw new Fault('invalid', `${quote(path)} is no directory of the layer`);
    try {
      mkdirSync(this.place(path), { mode: 0o755 });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      if (!this.#whiteouts.has(path))
        throw new Fault('invalid', `${quote(path)} is no directory of the layer`);
      this.#remove(path);
      mkdirSync(this.place(path), { mode: 0o755 });
      this.markOpaque(path);
    }
    this.#note(this.#directories, path);
    this.#implicit.add(path);
  }

  #remove(path: string): 'whiteout' | 'other' {
    if (this.#directories.has(path)) {
      rmSync(this.place(path), { recursive: true });
      this.#forget(path);
      return 'other';
    }
    unlinkSync(this.place(path));
    const whiteout = this.#whiteouts.has(path);
    this.#forget(path);
    return whiteout ? 'whiteout' : 'other';
  }

  #directoryFd(path: string): number {
    if (path === '') return this.#root.fd;
    let directory = this.#open.get(path);
    if (directory === undefined) {
      directory = new OwnedFd(openBelow(this.#root.fd, nameBytes('', path), O.PATH | O.DIRECTORY));
      const oldest = this.#open.size < OPEN_DIRECTORIES ? undefined : this.#open.entries().next().value;
      if (oldest !== undefined) this.#close(...oldest);
    } else this.#open.delete(path);
    this.#open.set(path, directory);
    return directory.fd;
  }

  #close(path: string, directory: OwnedFd): void {
    directory.close();
    this.#open.delete(path);
  }

  #note(paths: Set<string>, path: string): void {
    paths.add(path);
    this.#noteInside(path);
  }

  #noteInside(path: string): void {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const inside = this.#inside.get(parent);
    if (inside === undefined) this.#inside.set(parent, new Set([path]));
    else inside.add(path);
  }

  /** What was known of `path` and of all below it. */
  #forget(path: string): void {
    for (let todo = [path], next = todo.pop(); next !== undefined; next = todo.pop()) {
      todo.push(...(this.#inside.get(next) ?? []));
      this.#inside.delete(next);
      for (const known of [this.#directories, this.#links, this.#whiteouts, this.#implicit])
        known.delete(next);
      const open = this.#open.get(next);
      if (open !== undefined) this.#close(next, open);
    }
    this.#inside.get(path.slice(0, Math.max(0, path.lastIndexOf('/'))))?.delete(path);
  }
}

const OPAQUE = Buffer.from('y');

function quote(path: string): string {
  return JSON.stringify(path.slice(0, 300));
}
