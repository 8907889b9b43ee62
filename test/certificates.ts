import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface Certificate {
  cert: string;
  key: string;
}

/** An own certificate authority in `directory`, made by openssl. */
export class Authority {
  readonly ca: string;
  readonly #directory: string;
  readonly #key: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.ca = join(directory, 'ca.pem');
    this.#key = join(directory, 'ca.key');
    const subject = ['-subj', '/CN=test authority', '-days', '2'];
    const usage = ['-addext', 'basicConstraints=critical,CA:TRUE'];
    openssl('req', '-x509', ...newKey(this.#key), '-out', this.ca, ...subject, ...usage);
  }

  /** A certificate for these names (`DNS:reg.example`, `IP:127.0.0.1`); a client's has none that matter. */
  issue(name: string, alternatives: string[] = [`DNS:${name}`]): Certificate {
    const [cert, key, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((kind) =>
      join(this.#directory, `${name}.${kind}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName=${alternatives.join(',')}\n`);
    openssl('req', ...newKey(key), '-out', request, '-subj', `/CN=${name}`);
    const signer = ['-CA', this.ca, '-CAkey', this.#key, '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', request, '-out', cert, '-extfile', extensions, ...signer);
    return { cert, key };
  }
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path];
}

function openssl(...argv: string[]): void {
  execFileSync('openssl', argv, { stdio: 'pipe' });
}
