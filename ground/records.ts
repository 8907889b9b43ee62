import { open } from 'node:fs/promises';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault, messageOf } from './fault.ts';
import { Reserve, WAL_PAGES } from './reserve.ts';

/** A record that could not be read: it is moved aside, the start goes on, `berth status` lists it. */
export interface QuarantinedRecord {
  kind: string;
  id: string;
  reason: string;
}

/**
 * One kind of record: rows of id and JSON. All calls are synchronous and durable on return against the death of
 * this process (SQLite in WAL mode); power loss may take the newest rows, never the file, unless `settle` was waited for.
 */
export interface RecordTable<T> {
  put(id: string, value: T): void;
  delete(id: string): void;
  get(id: string): T | undefined;
  /** All rows in order of their first writing. Rows that do not parse or that `check` refuses are quarantined. */
  all(): { id: string; value: T }[];
  /** Resolves when all that was written before survives a power loss too. Throws Fault('unavailable'). */
  settle(): Promise<void>;
}

/**
 * The record store: the one durable truth of a node, a SQLite file. Bigints survive (they are written as `"123n"`
 * tagged strings). Rooms take tables from it by name.
 */
export class RecordStore {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #get: StatementSync;
  readonly #all: StatementSync;
  readonly #quarantine: StatementSync;
  readonly #reserve: Reserve | undefined;
  readonly quarantined: QuarantinedRecord[] = [];

  /** Opens or creates the file at `path` (`:memory:` for tests). Throws when the file is no database. */
  constructor(path: string) {
    this.#path = path;
    this.#reserve = path === ':memory:' ? undefined : new Reserve(path);
    this.#reserve?.turnIntoLog();
    this.#db = this.#withReserve(() => openDatabase(path));
    // A log beside a database that is made anew was thrown away.
    this.#reserve?.turnIntoLog();
    this.#reserve?.keep();
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
   * The table of one kind. `check` looks at a parsed row and throws when it is not a sound `T`. On a full disk new rows
   * are refused with Fault('exhausted'), unless they are `vital`; changes and deletions have room that was kept for them.
   */
  table<T>(
    kind: string,
    check: (value: unknown) => T = (value) => value as T,
    { vital = false }: { vital?: boolean } = {},
  ): RecordTable<T> {
    return {
      put: (id, value) => this.#write(kind, id, encodeRecord(value), vital),
      delete: (id) => void this.#withReserve(() => this.#delete.run(kind, id)),
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
      settle: () => this.#settle(),
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
    // SQLite has removed its log: the room is kept for the next one.
    this.#reserve?.keep();
  }

  /** Every commit is in the log until SQLite has synced both files (wal.html, "Performance Considerations"). */
  async #settle(): Promise<void> {
    if (this.#path === ':memory:') return;
    try {
      await using log = await open(`${this.#path}-wal`, 'r');
      await log.datasync();
    } catch (error) {
      throw new Fault('unavailable', `The records cannot be brought to the disk: ${messageOf(error)}`, {
        cause: error,
        hint: 'look at the disk (dmesg), then try again',
      });
    }
  }

  #write(kind: string, id: string, json: string, vital: boolean): void {
    try {
      this.#put.run(kind, id, json);
    } catch (error) {
      if (!isFull(error)) throw error;
      if (!vital && this.#get.get(kind, id) === undefined) {
        throw new Fault('exhausted', 'There is no room on the disk for another record', {
          cause: error,
          hint: 'what exists can still be stopped and removed',
        });
      }
      this.#withReserve(() => this.#put.run(kind, id, json));
    }
  }

  /** Does it; on a full disk, again with the room that was kept. */
  #withReserve<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isFull(error) || this.#reserve?.giveUp() !== true) throw error;
      return work();
    }
  }

  #read<T>(kind: string, id: string, json: string, check: (value: unknown) => T): T | undefined {
    try {
      return check(decodeRecord(json));
    } catch (error) {
      const reason = messageOf(error);
      this.#withReserve(() => this.#quarantine.run(kind, id, json, reason));
      this.#withReserve(() => this.#delete.run(kind, id));
      this.quarantined.push({ kind, id, reason });
      return undefined;
    }
  }
}

function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;
      PRAGMA wal_autocheckpoint = ${WAL_PAGES};
      CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, json TEXT NOT NULL, PRIMARY KEY (kind, id));
      CREATE TABLE IF NOT EXISTS quarantine (kind TEXT, id TEXT, json TEXT, reason TEXT);`);
    keepFreePages(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Rows that grow take free pages of the file; without any, the file would have to grow on a disk that may be full. */
function keepFreePages(db: DatabaseSync): void {
  const { freelist_count: free } = db.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
  if (free >= FREE_PAGES) return;
  try {
    db.exec(`BEGIN; INSERT INTO quarantine (kind, json) VALUES ('reserve', zeroblob(${2 * FREE_PAGES * 4096})); COMMIT;
      DELETE FROM quarantine WHERE kind = 'reserve';`);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    // There is no room for more than there is.
    if (!isFull(error)) throw error;
  }
}

const FREE_PAGES = 64;

/** SQLITE_FULL, and what a full disk looks like when SQLite makes or enlarges its files: SQLITE_IOERR, SQLITE_CANTOPEN. */
function isFull(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' && FULL.has(code & 0xff);
}

const FULL = new Set([13, 10, 14]);

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
