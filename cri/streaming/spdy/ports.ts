import type { Duplex } from 'node:stream';
import type { CountStreams } from '../counts.ts';
import { servePort } from '../port-session.ts';
import type { Streams } from '../../../pod/streams.ts';
import type { Timeouts } from '../timeouts.ts';
import { SpdyConnection } from './connection.ts';
import type { SpdyStream } from './stream.ts';

/** Two for each forwarded connection. */
const MAX_STREAMS = 4096;

interface Pair {
  port: number;
  data?: SpdyStream;
  error?: SpdyStream;
  timer: NodeJS.Timeout;
}

/**
 * Forwards ports over SPDY until the client leaves: each connection is a pair of streams with the headers `port` and
 * `requestid`, one of `streamtype` error, one of data.
 */
export async function spdyPorts(
  transport: Duplex,
  head: Buffer,
  options: {
    streams: Streams;
    sandboxId: string;
    timeouts: Timeouts;
    count?: CountStreams;
  },
): Promise<void> {
  const { streams, sandboxId, timeouts, count } = options;
  const pairs = new Map<string, Pair>();
  const running = new Set<Promise<void>>();

  const begin = (key: string, { port, data, error, timer }: Pair): void => {
    clearTimeout(timer);
    pairs.delete(key);
    const work = servePort(
      streams,
      sandboxId,
      port,
      { input: data!, output: data!, error: error! },
      connection.closed,
    );
    running.add(work);
    void work.finally(() => running.delete(work));
  };
  const giveUp = (key: string): void => {
    const pair = pairs.get(key);
    pairs.delete(key);
    pair?.error?.end(`timed out waiting for the data stream of request ${key} on port ${pair.port}`);
    pair?.data?.destroy();
  };
  const connection = new SpdyConnection(transport, {
    maxStreams: MAX_STREAMS,
    idleMs: timeouts.idleMs,
    count,
    onStream(stream) {
      const type = stream.headers['streamtype'];
      const port = portOf(stream.headers['port']);
      if (port === undefined || (type !== 'data' && type !== 'error')) return false;
      const key = pairKey(stream, type);
      let pair = pairs.get(key);
      if (pair?.[type] !== undefined || (pair !== undefined && pair.port !== port)) return false;
      if (pair === undefined) {
        pair = { port, timer: setTimeout(giveUp, timeouts.creationMs, key) };
        pairs.set(key, pair);
      }
      pair[type] = stream;
      if (type === 'error') stream.resume();
      if (pair.data !== undefined && pair.error !== undefined) begin(key, pair);
      return true;
    },
  });
  connection.take(head);
  await connection.finish(2 ** 31 - 1);
  for (const { timer } of pairs.values()) clearTimeout(timer);
  await Promise.all(running);
}

function portOf(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** Clients of before requestid open the error stream first and the data stream next. */
function pairKey(stream: SpdyStream, type: 'data' | 'error'): string {
  return stream.headers['requestid'] ?? `#${type === 'error' ? stream.id : stream.id - 2}`;
}
