import type { Server, Socket } from 'node:net';
import { bind, check } from './libc.ts';

const setsockopt = bind<[number, number, number, Uint8Array, number]>(
  'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
);
const getsockopt = bind<[number, number, number, Uint8Array, Uint8Array]>(
  'int getsockopt(int fd, int level, int name, void *value, void *length)',
);

const IPPROTO_TCP = 6;
const TCP_CONGESTION = 13;
const NAME_BYTES = 16;
const RENO = Buffer.from('reno');

/**
 * Lets a socket that is not connected yet, or all that a listening one takes, send as fast as is read: `reno`, which
 * every kernel has (tcp(7), TCP_CONGESTION). A node whose default is BBR would pace them by a timer for each packet;
 * on loopback that costs more than the bytes do. Where it is forbidden they are paced: no error.
 */
export function withoutPacing(fd: number): void {
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, RENO, RENO.length);
}

/** The congestion control of a socket. Throws ErrnoError. */
export function congestionControl(fd: number): string {
  const name = Buffer.alloc(NAME_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(NAME_BYTES);
  check('getsockopt TCP_CONGESTION', getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, length));
  return name.toString('latin1').replace(/\0.*$/s, '');
}

/** The descriptor of a socket or a server that listens; undefined when it has none, or no more. */
export function descriptorOf(socket: Socket | Server): number | undefined {
  // Node has no public name for it.
  const { _handle: handle } = socket as (Socket | Server) & { _handle?: { fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
