import { createReadStream, fstatSync, readFileSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { O, OwnedFd } from '../../native/fd.ts';
import { openIn } from '../../native/openat2.ts';
import type { ArchiveSource } from './archive-file.ts';

const PIECE = 1024 * 1024;

/** An OCI layout as a directory, as `skopeo copy … oci:<directory>` writes it. Links do not lead out of it. */
export class ArchiveDirectory implements ArchiveSource {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  has(name: string): boolean {
    using file = this.#open(name);
    return file !== undefined;
  }

  size(name: string): number {
    using file = this.#need(name);
    return fstatSync(file.fd).size;
  }

  async read(name: string, max: number): Promise<Buffer> {
    using file = this.#need(name);
    const { size } = fstatSync(file.fd);
    if (size > max) throw new Fault('invalid', `${JSON.stringify(name)} has ${size} bytes, more than ${max}`);
    return readFileSync(file.fd);
  }

  async *stream(name: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    using file = this.#need(name);
    const options = { fd: file.fd, autoClose: false, start: 0, highWaterMark: PIECE, signal };
    for await (const piece of createReadStream('', options)) yield piece as Buffer;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #need(name: string): OwnedFd {
    const file = this.#open(name);
    if (file !== undefined) return file;
    throw new Fault('not-found', `The directory ${this.#root} does not have ${JSON.stringify(name)}`);
  }

  /** A regular file; undefined when there is none of that name. */
  #open(name: string): OwnedFd | undefined {
    try {
      const file = new OwnedFd(openIn(this.#root, name, O.RDONLY | O.NONBLOCK));
      if (fstatSync(file.fd).isFile()) return file;
      file.close();
      return undefined;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
      throw error;
    }
  }
}
