import { readFileSync, statSync } from 'node:fs';
import { isErrno } from '../native/errno.ts';
import { closeFd, sealedProgram } from '../native/fd.ts';

/**
 * A program as a sealed file in memory. OCI runtimes protect themselves from the containers they enter by running
 * from a copy that nobody can write (CVE-2019-5736): each start of crun makes one and executes itself again, 2 of its
 * 5 ms. Started from a sealed copy it finds that done.
 */
export class SealedProgram {
  readonly #path: string;
  #copy: { fd: number; version: string } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Where to execute the copy from, by any process, while this one lives. A program that was replaced since is copied
   * anew. Undefined where no copy can be had (not installed, vm.memfd_noexec).
   */
  path(): string | undefined {
    try {
      const { ino, size, mtimeNs } = statSync(this.#path, { bigint: true });
      const version = `${ino} ${size} ${mtimeNs}`;
      if (this.#copy?.version !== version) {
        const fd = sealedProgram(this.#path, readFileSync(this.#path));
        this.close();
        this.#copy = { fd, version };
      }
      return `/proc/${process.pid}/fd/${this.#copy.fd}`;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'EACCES', 'EPERM')) return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#copy !== undefined) closeFd(this.#copy.fd);
    this.#copy = undefined;
  }
}
