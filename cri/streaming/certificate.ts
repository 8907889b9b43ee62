import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Server } from 'node:https';
import { Fault, messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';

/** Paths of a certificate chain and its key, PEM. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/**
 * A certificate that is read again when its files change. Each URL that is given out asks, so that its client meets
 * the new one; no timer, no watch. While the new pair does not fit together the one before stays.
 */
export class Certificate {
  readonly #files: CertificateFiles;
  readonly #log: Log;
  #server: Server | undefined;
  #seen = '';

  constructor(files: CertificateFiles, log: Log) {
    this.#files = files;
    this.#log = log;
  }

  /** Reads both files. Throws Fault `unavailable`. */
  read(): { cert: Buffer; key: Buffer } {
    const read = (path: string): Buffer => {
      try {
        return readFileSync(path);
      } catch (cause) {
        throw new Fault('unavailable', `The streaming server cannot read ${path}`, {
          cause,
          hint: 'see stream_tls_cert and stream_tls_key in [cri]',
        });
      }
    };
    return { cert: read(this.#files.cert), key: read(this.#files.key) };
  }

  /** The server that gets new certificates. */
  serve(server: Server): Server {
    this.#server = server;
    return server;
  }

  /** Looks whether the files have changed, and takes them when they have. Never rejects. */
  async refresh(): Promise<void> {
    try {
      const seen = (await Promise.all([this.#mark(this.#files.cert), this.#mark(this.#files.key)])).join(' ');
      if (seen === this.#seen) return;
      const first = this.#seen === '';
      this.#server?.setSecureContext(this.read());
      this.#seen = seen;
      if (!first) this.#log.info({ cert: this.#files.cert }, 'The streaming server has a new certificate');
    } catch (error) {
      this.#log.warn(
        { cert: this.#files.cert },
        `The streaming server keeps its certificate: ${messageOf(error)}`,
      );
    }
  }

  async #mark(path: string): Promise<string> {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino}:${size}:${mtimeNs}`;
  }
}
