import type { Duplex } from 'node:stream';
import { writeAll } from '../write-all.ts';

export const TEXT = 1;
export const BINARY = 2;

/**
 * Writes one whole message (RFC 6455, 5.2: final, not masked) in one go. `prefix` goes before the payload, neither is
 * copied. Between two of its own frames the ws package does not mind; it would take prefix and payload only as one
 * buffer. `done`: as of `writeAll`.
 */
export function writeMessage(
  socket: Duplex,
  opcode: number,
  prefix: Uint8Array,
  payload: readonly Uint8Array[],
  done: () => void,
): void {
  const length = payload.reduce((sum, part) => sum + part.length, prefix.length);
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const head = Buffer.allocUnsafe(size + prefix.length);
  head[0] = 0x80 | opcode;
  if (size === 2) head[1] = length;
  else if (size === 4) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  head.set(prefix, size);
  writeAll(socket, [head, ...payload], done);
}
