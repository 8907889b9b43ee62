import { closeSync, fstatSync, openSync, existsSync, rmSync, writeSync } from 'node:fs';

/** More than SQLite puts into its log before it takes it up into the database: see `WAL_PAGES`. */
const WAL_BYTES = 4 * 1024 * 1024;
/** `wal_autocheckpoint`: with its frames a page takes 4,120 bytes. */
export const WAL_PAGES = 500;
/** Enough for the log and what else SQLite makes when it opens. */
const PART_BYTES = 2.25 * 1024 * 1024;
/** Two files: a disk can be out of inodes as well, and SQLite makes two files beside its own. */
const PARTS = ['reserve-1', 'reserve-2'];
const PIECE = Buffer.alloc(256 * 1024);

/**
 * Room on the disk for the records, kept for the time when there is no other: what ends things has to write a little,
 * and has to work on a full disk.
 *
 * While the database is open, the room is its log (`<path>-wal`), filled up with zeros: SQLite writes over them, and
 * takes a log that ends in zeros for one that ends before (fileformat2.html, "The Write-Ahead Log"). SQLite removes the
 * log when it closes; until the next opening the room is two files, `<path>.reserve-1` and `-2`, which make place for
 * the next log.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes the log as large as it will be. To be called before the database is opened; a full disk is no error. */
  turnIntoLog(): void {
    const log = `${this.#path}-wal`;
    if (fill(log, WAL_BYTES)) return;
    if (this.giveUp()) fill(log, WAL_BYTES);
  }

  /** Keeps the two files, as far as there is room for them. */
  keep(): void {
    for (const part of PARTS) if (!existsSync(`${this.#path}.${part}`)) this.#make(`${this.#path}.${part}`);
  }

  /** Gives the room of the two files free. False when there is none left. */
  giveUp(): boolean {
    const kept = PARTS.map((part) => `${this.#path}.${part}`).filter((file) => existsSync(file));
    for (const file of kept) rmSync(file, { force: true });
    return kept.length > 0;
  }

  #make(file: string): void {
    // Half of it is of no use, and in the way of others.
    if (!fill(file, PART_BYTES)) rmSync(file, { force: true });
  }
}

/** Appends zeros up to this size; false when there is no room, or no file can be made. */
function fill(file: string, size: number): boolean {
  let fd: number;
  try {
    fd = openSync(file, 'a', 0o600);
  } catch {
    return false; // the answer itself: most likely there is no inode left
  }
  try {
    for (let at = fstatSync(fd).size; at < size;)
      at += writeSync(fd, PIECE, 0, Math.min(PIECE.length, size - at));
    return true;
  } catch {
    return false; // the answer itself: there is no room
  } finally {
    closeSync(fd);
  }
}
