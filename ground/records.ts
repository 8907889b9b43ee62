import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { messageOf } from './fault.ts';

/** A record that could not be read: it is moved aside, the start goes on, `berth status` lists it. */
export interface QuarantinedRecord {
  kind: string;
  id: string;
  reason: string;
}

/**
 * One kind of record: rows of id and JSON. All calls are synchronous and durable on return against the death of
 * this process (SQLite in WAL mode); power loss may take the newest rows, never the file.
 */
export interface RecordTable<T> {
  put(id: string, value: T): void;
  delete(id: string): void;
  get(id: string): T | undefined;
  /** All rows in order of their first writing. Rows that do not parse or that `check` refuses are quarantined. */
  all(): { id: string; value: T }[];
}

/**
 * The record store: the one durable truth of a node, a SQLite file. Bigints survive (they are written as `"123n"`
 * tagged strings). Rooms take tables from it by name.
 */
export class RecordStore {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #get: StatementSync;
  readonly #all: StatementSync;
  readonly #quarantine: StatementSync;
  readonly quarantined: QuarantinedRecord[] = [];

  /** Opens or creates the file at `path` (`:memory:` for tests). Throws when the file is no database. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;
      CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, json TEXT NOT NULL, PRIMARY KEY (kind, id));
      CREATE TABLE IF NOT EXISTS quarantine (kind TEXT, id TEXT, json TEXT, reason TEXT);`);
    this.#put = this.#db.prepare(
      'INSERT INTO records (kind, id, json) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET json = excluded.json',
    );
    this.#delete = this.#db.prepare('DELETE FROM records WHERE kind = ? AND id = ?');
    this.#get = this.#db.prepare('SELECT json FROM records WHERE kind = ? AND id = ?');
    this.#all = this.#db.prepare('SELECT id, json FROM records WHERE kind = ? ORDER BY rowid');
    this.#quarantine = this.#db.prepare(
      'INSERT INTO quarantine (kind, id, json, reason) VALUES (?, ?, ?, ?)',
    );
  }

  /**
   * The table of one kind. `check` looks at a parsed row and throws when it is not a sound `T`.
   */
  table<T>(kind: string, check: (value: unknown) => T = (value) => value as T): RecordTable<T> {
    return {
      put: (id, value) => void this.#put.run(kind, id, encodeRecord(value)),
      delete: (id) => void this.#delete.run(kind, id),
      get: (id) => {
        const row = this.#get.get(kind, id) as { json: string } | undefined;
        return row === undefined ? undefined : this.#read(kind, id, row.json, check);
      },
      all: () => {
        const rows = this.#all.all(kind) as { id: string; json: string }[];
        return rows.flatMap(({ id, json }) => {
          const value = this.#read(kind, id, json, check);
          return value === undefined ? [] : [{ id, value }];
        });
      },
    };
  }

  /** Runs `work` as one transaction: all of its writes or none. */
  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  #read<T>(kind: string, id: string, json: string, check: (value: unknown) => T): T | undefined {
    try {
      return check(decodeRecord(json));
    } catch (error) {
      const reason = messageOf(error);
      this.#quarantine.run(kind, id, json, reason);
      this.#delete.run(kind, id);
      this.quarantined.push({ kind, id, reason });
      return undefined;
    }
  }
}

/** JSON in which bigints and byte arrays survive. */
export function encodeRecord(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, plain: unknown) {
    const raw = this[key];
    if (typeof raw === 'bigint') return { $n: String(raw) };
    if (raw instanceof Uint8Array) return { $b: Buffer.from(raw).toString('base64') };
    return plain;
  });
}

/** Reads what `encodeRecord` wrote. Throws SyntaxError on anything else. */
export function decodeRecord(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => {
    if (value === null || typeof value !== 'object') return value;
    if ('$n' in value && typeof value.$n === 'string') return BigInt(value.$n);
    if ('$b' in value && typeof value.$b === 'string') return Buffer.from(value.$b, 'base64');
    return value;
  });
}
