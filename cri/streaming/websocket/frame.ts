import type { Duplex } from 'node:stream';
import { writeAll } from '../write-all.ts';

export const TEXT = 1;
export const BINARY = 2;

/** What stands before the `length` bytes of a whole message (RFC 6455, 5.2: final, not masked) that begins with `prefix`. */
export function messageHead(opcode: number, prefix: Uint8Array, length: number): Buffer {
  const all = prefix.length + length;
  const size = all < 126 ? 2 : all < 65_536 ? 4 : 10;
  const head = Buffer.allocUnsafe(size + prefix.length);
  head[0] = 0x80 | opcode;
  if (size === 2) head[1] = all;
  else if (size === 4) {
    head[1] = 126;
    head.writeUInt16BE(all, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(all), 2);
  }
  head.set(prefix, size);
  return head;
}

/**
 * Writes one whole message in one go. `prefix` goes before the payload, which is not copied. Between two of its own
 * frames the ws package does not mind; it would take prefix and payload only as one buffer. `done`: as of `writeAll`.
 */
export function writeMessage(
  socket: Duplex,
  opcode: number,
  prefix: Uint8Array,
  payload: readonly Uint8Array[],
  done: () => void,
): void {
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  writeAll(socket, [messageHead(opcode, prefix, length), ...payload], done);
}
