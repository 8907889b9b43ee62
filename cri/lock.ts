import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault, messageOf } from '../ground/fault.ts';

const SQLITE_BUSY = 5;

/**
 * Takes a directory for this process alone, until it is disposed of or the process ends, however it ends: SQLite holds
 * a POSIX lock (fcntl(2)) on `berth.lock`. Throws Fault `exists` that names the holder.
 */
export function lockDirectory(directory: string): Disposable {
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const pidFile = join(directory, 'berth.pid');
  let lock: DatabaseSync;
  try {
    lock = new DatabaseSync(join(directory, 'berth.lock'));
  } catch (error) {
    throw new Fault('internal', `The lock of ${directory} cannot be opened`, { cause: error });
  }
  try {
    // With the journal in memory the lock needs no room on the disk.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY)
      throw new Fault('internal', `The lock of ${directory} cannot be taken: ${messageOf(error)}`);
    throw new Fault('exists', `Another berth serve${holder(pidFile)} works on ${directory}`, {
      hint: 'stop it first, or give this one other root and state directories',
    });
  }
  try {
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch (error) {
    // Only for the message of a second daemon: a full disk must not keep the first one from starting.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') {
      lock.close();
      throw error;
    }
  }
  return { [Symbol.dispose]: () => lock.close() };
}

function holder(pidFile: string): string {
  try {
    return ` (pid ${readFileSync(pidFile, 'utf8').trim()})`;
  } catch {
    return ''; // the holder is just starting
  }
}
