import { Socket } from 'node:net';
import type { ExitStatus } from '../../native/exits.ts';

/** The daemon's end of the pipe to which a supervisor writes how its command ended. */
export class StatusPipe {
  /** The command's end; undefined when the supervisor went without a word. */
  readonly status: Promise<ExitStatus | undefined>;
  readonly #socket: Socket;

  /** Takes over the file descriptor. */
  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    const { promise, resolve } = Promise.withResolvers<ExitStatus | undefined>();
    this.status = promise;
    // Eight bytes are written at once, which a pipe does not divide (pipe(7), PIPE_BUF).
    this.#socket.on('data', (bytes: Buffer) => resolve(decodeStatus(bytes.readUInt32LE(0))));
    this.#socket.on('close', () => resolve(undefined));
    this.#socket.on('error', () => {}); // `close` follows
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The status that wait(2) gives, as wait.h takes it apart. */
export function decodeStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: undefined } : { code: undefined, signal };
}
