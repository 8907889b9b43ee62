import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/*
 * An initial RAM disk: a cpio archive in the newc format
 * (https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html).
 */

const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/** Collects files, all owned by root, and gives the archive. */
export class Cpio {
  readonly #parts: Buffer[] = [];
  readonly #directories = new Set<string>();
  #inode = 1;

  /** A file at `path` (relative, parents are made). */
  file(path: string, content: Buffer | string, mode = 0o644): void {
    this.#parents(path);
    this.#entry(path, S_IFREG | mode, Buffer.from(content));
  }

  directory(path: string): void {
    if (this.#directories.has(path)) return;
    this.#parents(path);
    this.#directories.add(path);
    this.#entry(path, S_IFDIR | 0o755, Buffer.alloc(0));
  }

  /** A symbolic link at `path`. */
  link(path: string, target: string): void {
    this.#parents(path);
    this.#entry(path, S_IFLNK | 0o777, Buffer.from(target));
  }

  /** Everything below the directory `from`, at `to`. */
  tree(to: string, from: string): void {
    for (const name of readdirSync(from)) {
      const source = join(from, name);
      const path = join(to, name);
      const stat = lstatSync(source);
      if (stat.isDirectory()) {
        this.directory(path);
        this.tree(path, source);
      } else if (stat.isSymbolicLink()) this.link(path, readlinkSync(source));
      else this.file(path, readFileSync(source), stat.mode & 0o777);
    }
  }

  /** The whole archive. */
  archive(): Buffer {
    this.#entry('TRAILER!!!', 0, Buffer.alloc(0));
    return Buffer.concat(this.#parts);
  }

  #parents(path: string): void {
    const parent = join(path, '..');
    if (parent !== '.') this.directory(parent);
  }

  #entry(path: string, mode: number, content: Buffer): void {
    const name = Buffer.from(`${path}\0`);
    const fields = [this.#inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    this.#parts.push(padded(Buffer.concat([Buffer.from(header), name])), padded(content));
  }
}

/** Header with name, and content, each end at a multiple of four. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
