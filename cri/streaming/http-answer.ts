import type { Duplex } from 'node:stream';

// An import statement takes every export of node:http, also WebSocket, and with it all of undici.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

/** Answers a request to upgrade with something else, and closes. */
export function refuse(
  socket: Duplex,
  code: number,
  why: string,
  headers: readonly (readonly [name: string, value: string])[] = [],
): void {
  const body = `${why}\n`;
  const lines = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/** Answers that the connection is SPDY/3.1 from here on. */
export function upgradeToSpdy(socket: Duplex, protocol: string): void {
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
}
