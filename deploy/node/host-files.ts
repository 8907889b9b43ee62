import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';

export type FileKind = 'absent' | 'file' | 'directory' | 'link' | 'other';

/** Called before each thing that changes the node, with words that name it: `write /etc/berth/berth.toml.d/x`. */
export type BeforeChange = (change: string) => void;

/** path_resolution(7): more links than this in one path are a circle. */
const MAX_LINKS = 40;

/**
 * The files of a node whose `/` is seen at `root`. Paths are the node's: a link on the way, absolute or not, leads to
 * where it leads on the node, never out of `root`. Every change is atomic and durable when its function returns, and
 * announced to `before`.
 */
export class HostFiles {
  readonly root: string;
  readonly #before: BeforeChange;
  readonly #durable: boolean;

  /** `durable: false` for tests that do not pull the plug. */
  constructor(root: string, before: BeforeChange = () => {}, durable = true) {
    this.root = root;
    this.#before = before;
    this.#durable = durable;
  }

  /** Where a path of the node is for this process. A link at its end is not followed unless `follow`. */
  at(path: string, follow = false): string {
    const todo = path.split('/').filter(Boolean);
    const done: string[] = [];
    for (let links = 0; todo.length > 0;) {
      const part = todo.shift()!;
      if (part === '.') continue;
      if (part === '..') {
        done.pop();
        continue;
      }
      const target = todo.length > 0 || follow ? linkTarget(join(this.root, ...done, part)) : undefined;
      if (target === undefined) {
        done.push(part);
        continue;
      }
      if (++links > MAX_LINKS) throw new Fault('precondition', `${path} is a circle of links on the node`);
      if (target.startsWith('/')) done.length = 0;
      todo.unshift(...target.split('/').filter(Boolean));
    }
    return join(this.root, ...done);
  }

  kind(path: string): FileKind {
    try {
      const found = lstatSync(this.at(path));
      if (found.isFile()) return 'file';
      if (found.isDirectory()) return 'directory';
      return found.isSymbolicLink() ? 'link' : 'other';
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return 'absent';
      throw error;
    }
  }

  /** The content of a file, through links; undefined when there is none. */
  read(path: string): string | undefined {
    try {
      return readFileSync(this.at(path, true), 'utf8');
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** Permission bits of a file; undefined when it is missing. */
  mode(path: string): number | undefined {
    const found = statSync(this.at(path, true), { throwIfNoEntry: false });
    return found === undefined ? undefined : found.mode & 0o7777;
  }

  /** The target of a link as it is written; undefined when there is no link. */
  target(path: string): string | undefined {
    return linkTarget(this.at(path));
  }

  /** Names in a directory, sorted; none when it is missing. */
  list(path: string): string[] {
    try {
      return readdirSync(this.at(path, true)).sort();
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  /** Writes a file in one step: readers see the old content or the new one. */
  write(path: string, content: string, mode = 0o644): void {
    const place = this.at(path);
    const fresh = join(dirname(place), `.${basename(place)}.berth-new`);
    this.#before(`write ${path}`);
    rmSync(fresh, { force: true });
    const fd = openSync(fresh, 'wx', mode);
    try {
      writeFileSync(fd, content);
      if (this.#durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, place);
    this.#sync(dirname(place));
  }

  /** Makes or turns a symbolic link in one step. */
  link(path: string, target: string): void {
    const place = this.at(path);
    const fresh = join(dirname(place), `.${basename(place)}.berth-new`);
    this.#before(`link ${path}`);
    rmSync(fresh, { force: true });
    symlinkSync(target, fresh);
    renameSync(fresh, place);
    this.#sync(dirname(place));
  }

  /** Makes one directory; its parent has to be there. */
  makeDirectory(path: string, mode = 0o755): void {
    this.#before(`mkdir ${path}`);
    const place = this.at(path);
    mkdirSync(place, { mode });
    this.#sync(dirname(place));
  }

  /** Gives what stands at `path` a second name; nothing happens when that name is taken. */
  keep(path: string, name: string): void {
    this.#before(`keep ${path}`);
    try {
      linkSync(this.at(path), this.at(name));
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    this.#sync(dirname(this.at(name)));
  }

  /** Gives what stands at `name` its place `path` again. */
  restore(name: string, path: string): void {
    const [from, to] = [this.at(name), this.at(path)];
    this.#before(`restore ${path}`);
    // rename(2) does nothing between two names of one file.
    if (isSame(from, to)) unlinkSync(from);
    else renameSync(from, to);
    rmSync(join(dirname(to), `.${basename(to)}.berth-new`), { force: true });
    this.#sync(dirname(to));
  }

  /** Renames within the node. */
  rename(from: string, to: string): void {
    this.#before(`rename ${to}`);
    renameSync(this.at(from), this.at(to));
    this.#sync(dirname(this.at(to)));
  }

  /** Removes a file or a link, and what a killed `write` of it left. */
  remove(path: string): void {
    const place = this.at(path);
    if (this.kind(dirname(path)) === 'absent') return;
    this.#before(`remove ${path}`);
    for (const name of [place, join(dirname(place), `.${basename(place)}.berth-new`)])
      rmSync(name, { force: true });
    this.#sync(dirname(place));
  }

  /** Removes a directory with all below it. What is mounted below has to be unmounted before. */
  removeTree(path: string): void {
    if (this.kind(path) === 'absent') return;
    this.#before(`remove ${path}`);
    rmSync(this.at(path), { recursive: true, force: true });
  }

  /** Makes a tree durable, file by file: the node's other files are none of our business. */
  sync(path: string): void {
    if (!this.#durable) return;
    for (const entry of readdirSync(this.at(path), { recursive: true, withFileTypes: true }))
      if (entry.isFile() || entry.isDirectory()) this.#sync(join(entry.parentPath, entry.name));
    this.#sync(this.at(path));
  }

  /** Removes a directory that is empty. Returns what is in it otherwise. */
  removeDirectory(path: string): string[] {
    const names = this.list(path);
    if (names.length > 0 || this.kind(path) === 'absent') return names;
    this.#before(`rmdir ${path}`);
    rmdirSync(this.at(path));
    return [];
  }

  #sync(place: string): void {
    if (!this.#durable) return;
    const fd = openSync(place, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** Whether both paths name one and the same file. */
export function isSame(one: string, other: string): boolean {
  try {
    const [a, b] = [lstatSync(one), lstatSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

function linkTarget(place: string): string | undefined {
  try {
    return readlinkSync(place);
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
