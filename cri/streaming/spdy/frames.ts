/*
 * The frames of SPDY/3.1 on the wire (draft-mbelshe-httpbis-spdy-00, 2.2 and 2.6; windows of the session: 3.1).
 */

/** Control frames by type. CREDENTIAL (10) of SPDY/3 went with 3.1. */
export const Type = {
  SYN_STREAM: 1,
  SYN_REPLY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  HEADERS: 8,
  WINDOW_UPDATE: 9,
} as const;

/** The last frame of its sender on the stream. */
export const FLAG_FIN = 1;

/** Why a stream is reset (2.6.3). */
export const Reset = {
  PROTOCOL_ERROR: 1,
  INVALID_STREAM: 2,
  REFUSED_STREAM: 3,
  CANCEL: 5,
  INTERNAL_ERROR: 6,
  FLOW_CONTROL_ERROR: 7,
  STREAM_IN_USE: 8,
  STREAM_ALREADY_CLOSED: 9,
} as const;

/** Why a connection ends (2.6.6). */
export const Goaway = { OK: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2 } as const;

/** SETTINGS: how much a side may send on a new stream before the other side says WINDOW_UPDATE. */
export const INITIAL_WINDOW_SIZE = 7;
export const DEFAULT_WINDOW = 65_536;
export const MAX_WINDOW = 0x7fff_ffff;

const VERSION = 0x8003;

/** A control frame of the parts that its payload has. */
export function controlFrame(type: number, flags: number, ...payload: (number | Uint8Array)[]): Buffer {
  const length = payload.reduce<number>((sum, part) => sum + (typeof part === 'number' ? 4 : part.length), 0);
  const frame = Buffer.allocUnsafe(8 + length);
  frame.writeUInt16BE(VERSION, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(length, 4);
  frame[4] = flags;
  let at = 8;
  for (const part of payload) {
    if (typeof part === 'number') at = frame.writeUInt32BE(part, at);
    else {
      frame.set(part, at);
      at += part.length;
    }
  }
  return frame;
}

/** The eight bytes before the payload of a data frame. */
export function dataHead(stream: number, flags: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(length, 4);
  head[4] = flags;
  return head;
}
