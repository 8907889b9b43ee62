import { fstatSync } from 'node:fs';
import type { Log } from '../../ground/log.ts';
import type { Config } from '../config/schema.ts';
import type { DaemonLog } from '../daemon-log.ts';
import { journalEntry } from './journal-entry.ts';

/** Where journald hears entries of its native protocol. */
export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** The way to the journal. */
export interface JournalSocket {
  /** Sends an entry. False: the socket is full. Throws what the kernel says when nobody listens or it is too large. */
  send(entry: Uint8Array): boolean;
  /** The same for one that no datagram holds: in a sealed file, whose descriptor goes along. */
  sendLarge(entry: Uint8Array): boolean;
}

const LEVELS: readonly (keyof Log)[] = ['error', 'warn', 'info', 'debug'];
/** While the journal is busy or being restarted, so much waits; what comes then is counted. */
const MAX_WAITING = 1000;
const RETRY_MS = 10;
const LAST_TRIES = 100;
const TOO_LARGE = ['EMSGSIZE', 'ENOBUFS'];

/** Whether a descriptor is the stream to the journal that systemd named (`JOURNAL_STREAM`, systemd.exec(5)). */
export function isJournalStream(journalStream: string | undefined, fd: number): boolean {
  if (journalStream === undefined) return false;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return journalStream === `${dev}:${ino}`;
}

/**
 * The daemon's log in the journal. It never waits: entries that the journal does not take now wait in a bounded queue,
 * and how many did not fit into it is said as soon as the journal is back.
 */
export class JournalLog implements DaemonLog {
  level: Config['log']['level'];
  readonly #socket: JournalSocket;
  #waiting: Buffer[] = [];
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: JournalSocket, level: Config['log']['level']) {
    this.#socket = socket;
    this.level = level;
  }

  debug(fields: object, message: string): void {
    this.#write('debug', fields, message);
  }
  info(fields: object, message: string): void {
    this.#write('info', fields, message);
  }
  warn(fields: object, message: string): void {
    this.#write('warn', fields, message);
  }
  error(fields: object, message: string): void {
    this.#write('error', fields, message);
  }

  /** Waits for the journal, a second at most: what is left then is lost. */
  flush(): void {
    for (let tries = 0; tries < LAST_TRIES && !this.#send(); tries++) pause(RETRY_MS);
  }

  #write(level: keyof Log, fields: object, message: string): void {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.level)) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting.push(journalEntry(level, fields, message));
    if (this.#timer === undefined) this.#send();
  }

  /** False: something waits still. */
  #send(): boolean {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let entry; (entry = this.#waiting[0]) !== undefined; this.#waiting.shift())
      if (!this.#sendOne(entry)) {
        this.#timer = setTimeout(() => this.#send(), RETRY_MS).unref();
        return false;
      }
    if (this.#lost > 0) {
      const lost = this.#lost;
      this.#lost = 0;
      this.#write('warn', { lost }, 'Lines of the log were lost: the journal took none for a while');
    }
    return true;
  }

  /** Nobody to hear it is no error of ours: journald is being restarted. */
  #sendOne(entry: Buffer): boolean {
    try {
      return this.#socket.send(entry);
    } catch (error) {
      if (!TOO_LARGE.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    }
    try {
      return this.#socket.sendLarge(entry);
    } catch {
      this.#lost++;
      return true; // it will never go, and others wait behind it
    }
  }
}

/** There is no word for room at another's socket; the process is at its end and has nothing else to do. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
