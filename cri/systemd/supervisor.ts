import { messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';

/*
 * What the daemon tells the one who keeps it (sd_notify(3)):
 *
 *   starting --ready--> serving --reloading--> reloading --ready--> serving --stopping--> stopping --> (end)
 *      progress             status, alive
 */

/** The one who started the daemon and wants to know how it is. */
export interface Supervisor {
  /** The start, or the end, comes on: it may take `PATIENCE_MS` more from now. */
  progress(text: string): void;
  /** Calls are answered; after a reload: the new configuration is in force. */
  ready(text: string): void;
  /** What the daemon does, for people. */
  status(text: string): void;
  /** The configuration is being read again. */
  reloading(): void;
  /** The end has begun. */
  stopping(text: string): void;
  /** The daemon lives: for the watchdog. */
  alive(): void;
  close(): void;
}

/** A socket that takes messages; false: it is full. It throws what the kernel says when nobody listens. */
export interface MessageSocket {
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/** How long one step of a start or an end may take; each step asks for it anew. */
export const PATIENCE_MS = 120_000;
const RETRY_MS = 100;

/** Nobody listens. */
export const NOBODY: Supervisor = {
  progress() {},
  ready() {},
  status() {},
  reloading() {},
  stopping() {},
  alive() {},
  close() {},
};

/**
 * Speaks to the socket that `NOTIFY_SOCKET` named, a path or an abstract name behind `@`. An address that cannot be used
 * is said in the log, and nobody listens.
 */
export function openSupervisor(
  notifySocket: string | undefined,
  connect: (address: string) => MessageSocket,
  log: Log,
): Supervisor {
  if (notifySocket === undefined) return NOBODY;
  try {
    return new NotifySocket(connect(notifySocket), log);
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'The service manager cannot be told how the daemon is');
    return NOBODY;
  }
}

class NotifySocket implements Supervisor {
  readonly #socket: MessageSocket;
  readonly #log: Log;
  /** What a full socket did not take, in order; a later status takes the place of an earlier one. */
  #waiting: Record<string, string>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failed = false;
  #status = '';

  constructor(socket: MessageSocket, log: Log) {
    this.#socket = socket;
    this.#log = log;
  }

  progress(text: string): void {
    this.#say({ ...this.#news(text), EXTEND_TIMEOUT_USEC: String(PATIENCE_MS * 1000) });
  }

  ready(text: string): void {
    this.#say({ READY: '1', MAINPID: String(process.pid), ...this.#news(text) });
  }

  status(text: string): void {
    const news = this.#news(text);
    if (news['STATUS'] !== undefined) this.#say(news);
  }

  reloading(): void {
    const now = process.hrtime.bigint() / 1000n; // CLOCK_MONOTONIC, as the manager compares it
    this.#say({ RELOADING: '1', MONOTONIC_USEC: String(now), ...this.#news('Reading the configuration') });
  }

  stopping(text: string): void {
    this.#say({ STOPPING: '1', ...this.#news(text) });
  }

  alive(): void {
    this.#say({ WATCHDOG: '1' });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #news(text: string): Record<string, string> {
    const line = text.replaceAll(/\s+/g, ' ');
    if (line === this.#status) return {};
    this.#status = line;
    return { STATUS: line };
  }

  #say(assignments: Record<string, string>): void {
    // A watchdog that is fed late would be a lie.
    if (this.#waiting.length > 0 && 'WATCHDOG' in assignments) return;
    this.#waiting.push(assignments);
    if (this.#timer === undefined) this.#send();
  }

  #send(): void {
    this.#timer = undefined;
    try {
      for (let next; (next = this.#waiting[0]) !== undefined; this.#waiting.shift()) {
        const lines = Object.entries(next).map(([name, value]) => `${name}=${value}\n`);
        if (this.#socket.send(Buffer.from(lines.join('')))) continue;
        this.#timer = setTimeout(() => this.#send(), RETRY_MS).unref();
        return;
      }
    } catch (error) {
      this.#waiting = [];
      if (this.#failed) return;
      this.#failed = true;
      this.#log.warn({ error: messageOf(error) }, 'The service manager cannot be told how the daemon is');
    }
  }
}
