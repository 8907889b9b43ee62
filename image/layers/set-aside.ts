import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordTable } from '../../ground/records.ts';
import { isErrno } from '../../native/errno.ts';
import type { Trash } from '../trash.ts';

/** A damaged layer in `root/quarantine`, by its directory's name: the chain ids that it had. */
export interface SetAsideRecord {
  chains: string[];
}

/** Where damaged layers wait: nobody builds on them any more, but containers may still run on them. */
export class SetAsideLayers {
  readonly directory: string;
  readonly #table: RecordTable<SetAsideRecord> | undefined;

  /** Without a table nothing outlives the next start. */
  constructor(root: string, table: RecordTable<SetAsideRecord> | undefined) {
    this.directory = join(root, 'quarantine');
    this.#table = table;
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
  }

  /** Moves the layer's directory `from` here; one that is gone is none the worse. */
  take(from: string, name: string, chains: string[]): void {
    this.#table?.put(name, { chains });
    try {
      renameSync(from, join(this.directory, name));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  /** At a start: throws away those on which no container was made (`inUse`, by chain id). */
  sweep(inUse: (chainId: string) => boolean, trash: Trash): void {
    const kept = new Set<string>();
    for (const { id, value } of this.#table?.all() ?? []) {
      if (value.chains.some(inUse)) kept.add(id);
      else this.#table?.delete(id);
    }
    for (const name of readdirSync(this.directory))
      if (!kept.has(name)) trash.take(join(this.directory, name));
  }
}
