import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type OciVerb = 'create' | 'start' | 'exec' | 'delete' | 'kill' | 'state';

/** `once …` is served one time; see `test/oci-wrapper`. */
export type Order = `${'' | 'once '}${`fail ${string}` | `sleep ${number}` | 'hang' | 'die'}`;

/** The OCI runtime of the handler `faulty`: real work, until a test orders a fault. */
export class OciFaults {
  /** Path of the runtime for the configuration. */
  readonly program: string;
  readonly #orders: string;

  /** Writes the program into `directory`; `runtime` is what does the real work. */
  constructor(directory: string, runtime: string) {
    this.#orders = join(directory, 'faults');
    this.program = join(directory, 'oci-runtime');
    mkdirSync(this.#orders, { recursive: true });
    const wrapper = join(import.meta.dirname, 'oci-wrapper');
    const exports = `export BERTH_FAULTS='${this.#orders}' BERTH_OCI_RUNTIME='${runtime}'`;
    writeFileSync(this.program, `#!/bin/sh\n${exports}\nexec '${wrapper}' "$@"\n`);
    chmodSync(this.program, 0o755);
  }

  /** What shall happen when the runtime is next called with `verb`. */
  order(verb: OciVerb, order: Order): void {
    writeFileSync(join(this.#orders, verb), order);
  }

  /** From now on, all goes well again. */
  clear(): void {
    for (const verb of ['create', 'start', 'exec', 'delete', 'kill', 'state'])
      rmSync(join(this.#orders, verb), { force: true });
  }

  /** The verbs of all calls so far. */
  calls(): string[] {
    const file = join(this.#orders, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  }
}
