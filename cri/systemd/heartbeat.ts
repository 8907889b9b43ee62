import { messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import { sleep } from '../../ground/wait.ts';
import { Client } from '../client.ts';
import type { Supervisor } from './supervisor.ts';

/** How often the status is told where there is no watchdog. */
const STATUS_MS = 20_000;
/** Three beats a period: two may be lost. */
const BEATS = 3;
const FIRST_ANSWER_MS = 5000;
const RETRY_MS = 200;

export interface HeartbeatOptions {
  supervisor: Supervisor;
  /** Path of the daemon's own socket. */
  socket: string;
  /** The watchdog's period; undefined: none, and only the status is told. */
  watchdogMs: number | undefined;
  /** What the daemon does now, in one line. */
  status: () => string;
  log: Log;
}

/**
 * Shows the supervisor that the daemon lives. The watchdog is fed only after a call over the daemon's own socket was
 * answered in time, on a new connection as any caller makes one: an event loop that hangs, a server that does not
 * answer and a socket that is gone let it starve.
 */
export class Heartbeat implements Disposable {
  readonly #options: HeartbeatOptions;
  readonly #periodMs: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#periodMs = options.watchdogMs === undefined ? STATUS_MS : options.watchdogMs / BEATS;
  }

  /** Calls `answered` at the first answer of the own socket, and beats from then on. Not after the end. */
  async begin(answered: () => void): Promise<void> {
    while (!this.#closed && !(await this.#answers(FIRST_ANSWER_MS))) await sleep(RETRY_MS);
    if (this.#closed) return;
    answered();
    this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#beat().finally(() => this.#schedule()), this.#periodMs).unref();
  }

  async #beat(): Promise<void> {
    const { supervisor, watchdogMs, status } = this.#options;
    if (watchdogMs !== undefined && (await this.#answers(this.#periodMs)) && !this.#closed)
      supervisor.alive();
    if (!this.#closed) supervisor.status(status());
  }

  async #answers(deadlineMs: number): Promise<boolean> {
    using client = new Client(this.#options.socket);
    try {
      await client.call('Status', {}, { deadlineMs });
      return true;
    } catch (error) {
      if (!this.#closed)
        this.#options.log.error(
          { error: messageOf(error) },
          'The daemon does not answer on its own socket; the watchdog is not fed',
        );
      return false;
    }
  }
}
