import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { SpdyClient } from './spdy-client.ts';

/**
 * SPDY in the messages of a WebSocket, as kubectl forwards ports. With framing of its own: the ws package takes no
 * protocol with a slash in its name.
 */
export async function tunnelClient(url: string): Promise<SpdyClient> {
  const protocol = 'SPDY/3.1+portforward.k8s.io';
  const { promise, resolve, reject } = Promise.withResolvers<SpdyClient>();
  const request = httpRequest(url, {
    agent: false,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': protocol,
    },
  });
  request.once('error', reject);
  request.once('response', (response) => reject(new Error(`HTTP ${response.statusCode}`)));
  request.once('upgrade', (response: IncomingMessage, socket: Socket, head: Buffer) => {
    if (response.headers['sec-websocket-protocol'] !== protocol) reject(new Error('Another protocol'));
    else resolve(new SpdyClient(new Frames(socket, head), { protocol }));
  });
  request.end();
  return await promise;
}

/** The payload of binary messages, masked on the way out (RFC 6455, 5.2). */
class Frames extends Duplex {
  readonly #socket: Socket;
  #input: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, head: Buffer) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.destroy());
    if (head.length > 0) this.#take(head);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const mask = Buffer.from([1, 2, 3, 4]);
    const head = Buffer.alloc(10);
    head.writeUInt16BE(0x82ff);
    head.writeBigUInt64BE(BigInt(chunk.length), 2);
    const masked = Buffer.from(chunk.map((byte, index) => byte ^ mask[index % 4]!));
    this.#socket.write(Buffer.concat([head, mask, masked]), () => done());
  }

  override _final(done: () => void): void {
    this.#socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    for (;;) {
      const input = this.#input;
      if (input.length < 2) return;
      const short = input[1]! & 0x7f;
      const size = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (input.length < size) return;
      const length =
        short < 126 ? short : short === 126 ? input.readUInt16BE(2) : Number(input.readBigUInt64BE(2));
      if (input.length < size + length) return;
      this.#input = input.subarray(size + length);
      if ((input[0]! & 0x0f) === 8) this.push(null);
      else if (!this.push(input.subarray(size, size + length))) this.#socket.pause();
    }
  }
}
