import { readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { isErrno } from '../../native/errno.ts';
import { REPORT_SIZE } from './interpreter.ts';

/** More than the entry ever says: its pid, and one failure. */
const CHUNK = 8 * REPORT_SIZE;

/** The daemon's end of an entry's report: what the entry says comes to `onReport`, whole report by whole report. */
export class ReportSocket {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #onReport: (report: Buffer) => void;
  #rest = Buffer.alloc(0);
  /** Resolves when the entry's end is closed: the command has begun, or nothing will. */
  readonly ended: Promise<void>;

  /** Takes over the file descriptor. */
  constructor(fd: number, onReport: (report: Buffer) => void) {
    this.#fd = fd;
    this.#onReport = onReport;
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes));
    this.ended = new Promise((resolve) => {
      for (const event of ['end', 'close'] as const) this.#socket.once(event, () => resolve());
    });
    // The entry's end closes when the command begins or the entry ends; the exit watcher says which.
    this.#socket.on('error', () => {});
  }

  /** Takes at once what was said by now: a process is known to be over before its last words come by themselves. */
  drain(): void {
    while (!this.#socket.destroyed) {
      const chunk = Buffer.alloc(CHUNK);
      let size: number;
      try {
        size = readSync(this.#fd, chunk);
      } catch (error) {
        if (isErrno(error, 'EAGAIN', 'ECONNRESET')) return;
        throw error;
      }
      if (size === 0) return;
      this.#take(chunk.subarray(0, size));
    }
  }

  /** Opens the gate. */
  proceed(): void {
    try {
      writeSync(this.#fd, Buffer.alloc(1));
    } catch (error) {
      // It has ended meanwhile, and the exit watcher says so.
      if (!isErrno(error, 'EPIPE', 'ECONNRESET')) throw error;
    }
  }

  /** An entry that waits at its gate ends. Again: does nothing. */
  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= REPORT_SIZE) {
      const report = this.#rest.subarray(0, REPORT_SIZE);
      this.#rest = this.#rest.subarray(REPORT_SIZE);
      this.#onReport(report);
    }
  }
}
