import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { constants, deflateSync } from 'node:zlib';
import { garbageCollector } from '../native/garbage.ts';
import { StreamingCounts } from '../cri/streaming/counts.ts';
import { serveUpgrade } from '../cri/streaming/session.ts';
import { DICTIONARY } from '../cri/streaming/spdy/dictionary.ts';
import type { Ticket } from '../cri/streaming/ticket.ts';
import { TIMEOUTS } from '../cri/streaming/timeouts.ts';
import { FakeStreams } from './fakes/streams.ts';

/*
 * Mutated input for the parsers of the streaming server: whole sessions run over connections in memory, frames are
 * bent, cut and mixed on their way in, and a connection that the server ends is followed by the next one.
 */

/** What a run did. */
export interface FuzzResult {
  inputs: number;
  /** Connections that the server or the client ended. */
  connections: number;
  /** Commands that were run: not all input is refused at the door. */
  commands: number;
  /** Growth of the heap and of buffers from the first quarter to the end. */
  grownBytes: number;
}

/** Feeds `count` mutated frames. The same seed gives the same frames. Throws what the parsers throw. */
export async function fuzz(
  way: 'spdy' | 'websocket' | 'tunnel',
  count: number,
  seed: number,
): Promise<FuzzResult> {
  const random = randomOf(seed);
  const streams = new FakeStreams();
  streams.commands['cat'] = async ({ stdin, stdout }) => {
    for await (const chunk of stdin) if (!stdout.destroyed) stdout.write(chunk);
    return 0;
  };
  const counts = new StreamingCounts();
  const sessions = new Set<Promise<unknown>>();
  let commands = 0;
  let connections = 0;
  const connect = (): Memory => {
    connections++;
    const memory = new Memory();
    const session = serveUpgrade(
      { request: requestOf(way), socket: memory, head: Buffer.alloc(0), ticket: ticketOf(way, random) },
      { streams, counts, timeouts: TIMEOUTS },
    ).catch(() => memory.destroy());
    sessions.add(session);
    void session.finally(() => sessions.delete(session));
    return memory;
  };
  const frames = way === 'spdy' ? spdyFrames() : way === 'websocket' ? messageFrames() : tunnelFrames();
  let memory = connect();
  let sent = 0;
  let before = 0;
  for (let index = 0; index < count; index++) {
    if (memory.destroyed || memory.ended || sent > 200) {
      memory.destroy();
      memory = connect();
      sent = 0;
      await tick();
    }
    // A sound beginning most of the time, else nothing but the door is tried.
    const next =
      sent < frames.length && random() < 0.9 ? frames[sent]! : mutate(pick(frames, random), frames, random);
    sent++;
    memory.deliver(next, random);
    if (index % 64 === 63) await tick();
    if (index === Math.floor(count / 4)) before = await usedBytes();
    if (streams.execs.length > 0) commands += streams.execs.splice(0).length;
  }
  memory.destroy();
  await Promise.all(sessions);
  return { inputs: count, connections, commands, grownBytes: (await usedBytes()) - before };
}

/** A connection in memory whose other end reads all and says what it is told. */
class Memory extends Duplex {
  ended = false;

  constructor() {
    super();
    this.on('error', () => {});
  }

  deliver(bytes: Buffer, random: () => number): void {
    if (random() < 0.8) return void this.push(bytes);
    const cut = Math.floor(random() * bytes.length);
    this.push(bytes.subarray(0, cut));
    this.push(bytes.subarray(cut));
  }

  override push(chunk: Buffer | null): boolean {
    return this.destroyed || this.readableEnded || (chunk?.length ?? 1) === 0 || super.push(chunk);
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  override _final(done: () => void): void {
    this.ended = true;
    done();
  }

  setTimeout(): void {}

  setNoDelay(): void {}
}

function requestOf(way: string): IncomingMessage {
  const headers =
    way === 'spdy'
      ? { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io, portforward.k8s.io' }
      : {
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol': way === 'tunnel' ? 'SPDY/3.1+portforward.k8s.io' : 'v5.channel.k8s.io',
        };
  return { headers, method: 'GET', url: '/' } as unknown as IncomingMessage;
}

function ticketOf(way: string, random: () => number): Ticket {
  if (way === 'tunnel' || random() < 0.2) return { kind: 'portforward', sandboxId: 'p', ports: [80] };
  const request = { command: ['cat'], stdin: true, stdout: true, stderr: false, tty: true };
  return { kind: 'exec', containerId: 'c', request };
}

/** A session of a client, frame by frame: it opens streams, writes, resizes, asks, and leaves. */
function spdyFrames(): Buffer[] {
  const blocks = headerBlocks([
    { streamtype: 'error', port: '80', requestid: '0' },
    { streamtype: 'stdin', port: '80', requestid: '1' },
    { streamtype: 'stdout' },
    { streamtype: 'resize' },
    { streamtype: 'data', port: '80', requestid: '0' },
    { streamtype: 'data', port: 'x', requestid: '9'.repeat(300) },
  ]);
  const opens = blocks.map((block, index) => control(1, 0, [2 * index + 1, 0], Buffer.from([0, 0]), block));
  return [
    ...opens.slice(0, 4),
    data(3, 0, Buffer.from('hello')),
    data(7, 0, Buffer.from('{"Width":80,"Height":24}\n')),
    control(4, 0, [1, 7, 65_536]),
    control(9, 0, [0, 65_536]),
    control(9, 0, [5, 1000]),
    control(6, 0, [1]),
    opens[4]!,
    opens[5]!,
    control(8, 0, [3], blocks[2]!),
    control(2, 0, [1], blocks[1]!),
    data(3, 0, Buffer.alloc(3000, 'x')),
    data(3, 1, Buffer.alloc(0)),
    control(3, 0, [5, 5]),
    control(7, 0, [9, 0]),
  ];
}

function headerBlocks(all: Record<string, string>[]): Buffer[] {
  // Blocks of one stream of zlib, got as the differences of ever longer ones.
  const plain = all.map((headers) => {
    const texts = Object.entries(headers).flat();
    return Buffer.concat([
      words([texts.length / 2]),
      ...texts.map((text) => Buffer.concat([words([text.length]), Buffer.from(text)])),
    ]);
  });
  // One compressor for all, flushed behind each, is only to be had asynchronously; uncompressed blocks need none.
  return plain.map((bytes, index) => {
    const stored = Buffer.from([
      0,
      bytes.length & 0xff,
      bytes.length >> 8,
      ~bytes.length & 0xff,
      (~bytes.length >> 8) & 0xff,
    ]);
    return index === 0
      ? deflateSync(bytes, { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })
      : Buffer.concat([stored, bytes]);
  });
}

/** Messages on channels, masked as a client's are, and what else a WebSocket has. */
function messageFrames(): Buffer[] {
  return [
    message(2, Buffer.from('\x00hello')),
    message(2, Buffer.from('\x04{"Width":80,"Height":24}')),
    message(9, Buffer.from('ping')),
    message(2, Buffer.concat([Buffer.from([0]), Buffer.alloc(3000, 'x')])),
    message(1, Buffer.from('\x00text')),
    message(2, Buffer.alloc(0)),
    message(2, Buffer.from([7, 1, 2])),
    message(2, Buffer.from([255, 0])),
    message(2, Buffer.from([255])),
    message(10, Buffer.alloc(0)),
    message(8, Buffer.from([3, 232])),
  ];
}

function tunnelFrames(): Buffer[] {
  return spdyFrames().map((frame) => message(2, frame));
}

function message(opcode: number, payload: Buffer): Buffer {
  const mask = Buffer.from([9, 8, 7, 6]);
  const head = Buffer.alloc(payload.length < 126 ? 2 : 4);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | Math.min(payload.length, 126);
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}

function control(type: number, flags: number, numbers: number[], ...rest: Buffer[]): Buffer {
  const payload = Buffer.concat([words(numbers), ...rest]);
  return Buffer.concat([words([0x8003_0000 + type, flags * 0x100_0000 + payload.length]), payload]);
}

function data(stream: number, flags: number, payload: Buffer): Buffer {
  return Buffer.concat([words([stream, flags * 0x100_0000 + payload.length]), payload]);
}

function words(numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeUInt32BE(number, index * 4));
  return bytes;
}

/** Bits turned, bytes set to edges, parts lost, doubled or taken from elsewhere. */
function mutate(frame: Buffer, frames: readonly Buffer[], random: () => number): Buffer {
  let bytes = Buffer.from(frame);
  const at = (): number => Math.floor(random() * bytes.length);
  for (let times = 1 + Math.floor(random() * 3); times > 0 && bytes.length > 0; times--) {
    const kind = Math.floor(random() * 7);
    if (kind === 0) bytes[at()]! ^= 1 << Math.floor(random() * 8);
    else if (kind === 1) bytes[at()] = pick([0, 1, 0x7f, 0x80, 0xff], random);
    else if (kind === 2) bytes = bytes.subarray(0, at());
    else if (kind === 3) bytes = Buffer.concat([bytes, bytes.subarray(at())]);
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at()), pick(frames, random)]);
    else if (kind === 5) bytes = Buffer.concat([bytes, pick(frames, random)]);
    else bytes.set(pick(frames, random).subarray(0, Math.min(8, bytes.length)));
  }
  return bytes;
}

function pick<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)]!;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function usedBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await tick();
    garbageCollector()();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
