import { mkdirSync, rmSync, unlinkSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { lsetxattr } from '../../native/xattr.ts';
import { nameBytes } from '../tar/reader.ts';

/** Follows as many symbolic links in one path as the kernel does (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * What has been made below one layer directory. The directory was empty and nobody else writes in it, so this
 * bookkeeping is the truth about it: a path is handed to the kernel only when every directory on the way is known
 * to be a real one, made here. Symbolic links on the way are followed here, inside the layer, never by the kernel.
 *
 * Paths are relative, without `.`, `..` and double slashes; the empty path is the layer's root.
 */
export class LayerTree {
  readonly #head: string;
  readonly #directories = new Set<string>(['']);
  readonly #links = new Map<string, string>();
  readonly #whiteouts = new Set<string>();
  readonly #implicit = new Set<string>();

  constructor(root: string) {
    this.#head = `${root}/`;
  }

  /** Directories that no entry described: they stand for those of the layers below, whose attributes they take. */
  get implicit(): string[] {
    return [...this.#implicit];
  }

  /** The path for the kernel. */
  place(path: string): string | Buffer {
    return nameBytes(this.#head, path);
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

  /** Makes the directory an entry describes, or takes the one that is there. */
  makeDirectory(path: string, mode: number): void {
    this.#implicit.delete(path);
    if (this.#directories.has(path)) return;
    const hidden = this.create(path, (place) => mkdirSync(place, { mode }));
    this.#directories.add(path);
    // The layer says that what stood there below is gone, and has a new directory of that name.
    if (hidden === 'whiteout') this.markOpaque(path);
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
  }

  /** Marks `path` as gone with `make`, unless the layer itself has something there, which already hides what is below. */
  whiteout(path: string, make: (place: string | Buffer) => void): void {
    if (this.#directories.has(path)) {
      this.markOpaque(path);
      return;
    }
    try {
      make(this.place(path));
      this.#whiteouts.add(path);
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
    this.#directories.add(path);
    this.#implicit.add(path);
  }

  #remove(path: string): 'whiteout' | 'other' {
    if (this.#directories.has(path)) {
      rmSync(this.place(path), { recursive: true });
      const inside = `${path}/`;
      for (const known of [this.#directories, this.#links, this.#whiteouts, this.#implicit]) {
        for (const each of known.keys()) if (each === path || each.startsWith(inside)) known.delete(each);
      }
      return 'other';
    }
    unlinkSync(this.place(path));
    this.#links.delete(path);
    return this.#whiteouts.delete(path) ? 'whiteout' : 'other';
  }
}

const OPAQUE = Buffer.from('y');

function quote(path: string): string {
  return JSON.stringify(path.slice(0, 300));
}
