import type { Readable, Writable } from 'node:stream';
import type { LendingReadable, PipeBytes } from '../../pod/streams.ts';

/** A stream to a client that can send on what stands in a pipe. */
export interface MovingWritable extends Writable {
  /** As `move` of a `Borrower`. */
  moveFrom(pipe: PipeBytes, done: () => void): number;
}

/**
 * Passes all bytes on and then the end, no faster than they are taken. Resolves when the target has taken the end;
 * rejects when either side fails before, and leaves the other side as it is. A target has to be done with bytes when it
 * says that they are written: they may be lent.
 */
export function pump(source: Readable | LendingReadable, target: Writable | MovingWritable): Promise<void> {
  return new Promise((resolve, reject) => {
    const pass = (chunk: Uint8Array): void => {
      if (target.write(chunk)) return;
      source.pause();
    };
    const take = (bytes: Buffer, giveBack: () => void): void => {
      let held = true;
      const free = (): void => {
        if (held) giveBack();
        held = false;
      };
      target.write(bytes, free);
      // Taken at once, as nearly always: its callback comes later all the same.
      if (target.writableLength === 0) free();
    };
    const goOn = (): void => void source.resume();
    const end = (): void => void target.end();
    const closedEarly = (): void => {
      if (!source.readableEnded) fail(new Error('The source closed before its end'));
    };
    const targetClosed = (): void => {
      if (!target.writableFinished) fail(new Error('The target closed before the end'));
    };
    const done = (): void => {
      source.off('data', pass).off('end', end).off('error', fail).off('close', closedEarly);
      target.off('drain', goOn).off('error', fail).off('close', targetClosed).off('finish', finished);
    };
    const finished = (): void => {
      done();
      resolve();
    };
    const fail = (error: Error): void => {
      done();
      source.pause();
      reject(error);
    };
    target.on('drain', goOn).on('error', fail).on('close', targetClosed).on('finish', finished);
    source.on('end', end).on('error', fail).on('close', closedEarly);
    if (target.destroyed) return targetClosed();
    if (source.readableEnded) return end();
    if (source.destroyed) return closedEarly();
    if ('lend' in source) {
      const move = 'moveFrom' in target ? target.moveFrom.bind(target) : undefined;
      return source.lend({ take, move });
    }
    source.on('data', pass);
    source.resume();
  });
}
