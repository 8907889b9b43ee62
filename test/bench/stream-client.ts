import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameReader } from '../../cri/streaming/spdy/frame-reader.ts';
import { controlFrame, dataHead, FLAG_FIN, Type } from '../../cri/streaming/spdy/frames.ts';
import { HeaderWriter } from '../../cri/streaming/spdy/header-block.ts';

/*
 * Clients of the streaming server that cost next to nothing, so that the server is measured and not they: one buffer
 * that is read into again and again, frames counted and not put together, a mask of zeros.
 */

const ROOM = 256 * 1024;
const CHUNK = Buffer.alloc(64 * 1024);
/** As kubectl's messages. */
const MESSAGE = Buffer.alloc(32 * 1024);
const STREAMS = { stdin: 0, stdout: 1, error: 3 } as const;

/** One remote command, with the streams of one direction. */
interface Wire {
  /** Method and headers of the handshake. */
  method: 'GET' | 'POST';
  upgrade: string[];
  opened(socket: Socket, input: boolean): void;
  /** Bytes behind the handshake. */
  take(bytes: Buffer): void;
  /** One piece of input, and its end. */
  feed(socket: Socket): number;
  endInput(socket: Socket): void;
}

/** What has come. */
class Arrivals {
  bytes = 0;
  readonly status: Promise<string>;
  tell!: (status: string) => void;

  constructor() {
    this.status = new Promise((resolve) => (this.tell = resolve));
  }
}

/** Runs the command of an Exec URL; resolves to the bytes of its output when its status has come. */
export async function runCommand(
  url: string,
  transport: 'spdy' | 'websocket',
  input: number,
): Promise<{ bytes: number; status: string }> {
  const arrivals = new Arrivals();
  const wire = transport === 'spdy' ? spdy(arrivals) : webSocket(arrivals);
  const { hostname, port, pathname } = new URL(url);
  const { promise: upgraded, resolve, reject } = Promise.withResolvers<void>();
  let head: Buffer | undefined = Buffer.alloc(0);
  const callback = (size: number, buffer: Uint8Array): boolean => {
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, size);
    if (head === undefined) wire.take(bytes);
    else {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return true;
      if (!head.toString('latin1').startsWith('HTTP/1.1 101')) reject(new Error(head.toString()));
      const rest = head.subarray(end + 4);
      head = undefined;
      resolve();
      if (rest.length > 0) wire.take(rest);
    }
    return true;
  };
  const socket = connect({
    host: hostname,
    port: Number(port),
    onread: { buffer: Buffer.alloc(ROOM), callback },
  });
  const left = (): void => {
    reject(new Error(`The server left: ${head?.toString() ?? ''}`));
    arrivals.tell('the server left');
  };
  socket.on('error', left).on('close', left);
  socket.write(
    [
      `${wire.method} ${pathname} HTTP/1.1`,
      `Host: ${hostname}`,
      'Connection: Upgrade',
      ...wire.upgrade,
      '\r\n',
    ].join('\r\n'),
  );
  await upgraded;
  wire.opened(socket, input > 0);
  for (let rest = input; rest > 0;) {
    rest -= wire.feed(socket);
    if (socket.writableNeedDrain) await once(socket, 'drain');
  }
  if (input > 0) wire.endInput(socket);
  const status = await arrivals.status;
  socket.destroy();
  return { bytes: arrivals.bytes, status };
}

function spdy(arrivals: Arrivals): Wire {
  const id = (stream: keyof typeof STREAMS): number => STREAMS[stream] * 2 + 1;
  let status = '';
  const reader = new FrameReader({
    control() {},
    data(stream, part, flags, last) {
      if (stream === id('stdout')) arrivals.bytes += part.length;
      if (stream !== id('error')) return;
      status += part.toString();
      if (last && (flags & FLAG_FIN) !== 0) arrivals.tell(status);
    },
  });
  return {
    method: 'POST',
    upgrade: ['Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io'],
    opened(socket, input) {
      const headers = new HeaderWriter();
      for (const stream of ['stdin', 'stdout', 'error'] as const) {
        if (stream === 'stdin' && !input) continue;
        const block = headers.write({ streamtype: stream });
        socket.write(controlFrame(Type.SYN_STREAM, 0, id(stream), 0, Buffer.alloc(2), block));
      }
    },
    take: (bytes) => reader.read(bytes),
    feed: (socket) => {
      socket.cork();
      socket.write(dataHead(id('stdin'), 0, CHUNK.length));
      socket.write(CHUNK);
      socket.uncork();
      return CHUNK.length;
    },
    endInput: (socket) => void socket.write(dataHead(id('stdin'), FLAG_FIN, 0)),
  };
}

function webSocket(arrivals: Arrivals): Wire {
  let channel = -1;
  let left = 0;
  let kept = Buffer.alloc(0);
  let status = '';
  const payload = (bytes: Buffer): void => {
    if (channel === STREAMS.stdout) arrivals.bytes += bytes.length;
    else if (channel === STREAMS.error) status += bytes.toString();
    if (channel === STREAMS.error && left === 0) arrivals.tell(status);
  };
  /** Bytes that were used; 0 when more are needed. A message has its channel in front; a control frame has none. */
  const take = (bytes: Buffer): number => {
    if (left > 0) {
      const part = bytes.subarray(0, left);
      left -= part.length;
      payload(part);
      return part.length;
    }
    const size = bytes.length < 2 ? 99 : bytes[1]! < 126 ? 2 : bytes[1] === 126 ? 4 : 10;
    if (bytes.length < size + 1) return 0;
    const length =
      size === 2 ? bytes[1]! : size === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    const message = (bytes[0]! & 0x0f) <= 2;
    channel = message ? bytes[size]! : -1;
    left = message ? length - 1 : length;
    return size + (message ? 1 : 0);
  };
  const frame = (length: number, channelByte: number): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUInt16BE(0x82fe, 0);
    head.writeUInt16BE(length + 1, 2);
    head[8] = channelByte;
    return head;
  };
  return {
    method: 'GET',
    upgrade: [
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: v5.channel.k8s.io',
    ],
    opened() {},
    take(bytes) {
      let rest = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
      while (rest.length > 0) {
        const used = take(rest);
        if (used === 0) break;
        rest = rest.subarray(used);
      }
      kept = Buffer.from(rest);
    },
    feed(socket) {
      socket.cork();
      socket.write(frame(MESSAGE.length, STREAMS.stdin));
      socket.write(MESSAGE);
      socket.uncork();
      return MESSAGE.length;
    },
    endInput: (socket) => void socket.write(Buffer.concat([frame(1, 255), Buffer.of(STREAMS.stdin)])),
  };
}
