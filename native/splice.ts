import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bind } from './libc.ts';
import { descriptorOf } from './tcp.ts';

const send = bind<[number, Uint8Array, number, number]>(
  'int64_t send(int fd, const void *bytes, size_t length, int flags)',
);
const splice = bind<[number, null, number, null, number, number]>(
  'int64_t splice(int from, void *from_at, int to, void *to_at, size_t length, unsigned int flags)',
);

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;

/**
 * Sends `head` and then `length` bytes of a pipe over a plain socket without taking them into this process (splice(2)).
 * What the socket has no room for is read and written the usual way; `done` is called when all is on its way and the
 * socket is free again, maybe before the return. False: nothing was sent, for the socket is encrypted, no socket of the
 * kernel or not free. The pipe must hold that much, and have no other reader. `more`: as much again follows at once, so
 * that no small packet has to end this.
 */
export function sendFromPipe(
  socket: Duplex,
  head: Uint8Array,
  pipe: number,
  length: number,
  done: () => void,
  more = false,
): boolean {
  const fd = plainSocket(socket);
  if (fd === undefined || socket.writableLength > 0) return false;
  const sent = send(fd, head, head.length, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
  // An error is found again, and told, by the one who then writes the usual way.
  if (sent <= 0) return false;
  const flags = more ? SPLICE_F_NONBLOCK | SPLICE_F_MORE : SPLICE_F_NONBLOCK;
  let moved = 0;
  while (sent === head.length && moved < length) {
    const size = splice(pipe, null, fd, null, length - moved, flags);
    if (size <= 0) break;
    moved += size;
  }
  if (moved === length) done();
  else {
    socket.cork();
    if (sent < head.length) socket.write(head.subarray(sent));
    socket.write(readExactly(pipe, length - moved), () => done());
    socket.uncork();
  }
  return true;
}

/** Undefined for everything but a plain socket that is connected. */
function plainSocket(socket: Duplex): number | undefined {
  if (!(socket instanceof Socket) || 'encrypted' in socket || socket.destroyed || !socket.writable)
    return undefined;
  return descriptorOf(socket);
}

function readExactly(pipe: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) at += readSync(pipe, bytes, at, length - at, null);
  return bytes;
}
