import type { Duplex } from 'node:stream';
import { Fault } from '../../../ground/fault.ts';
import { TerminalSizes, type CommandWire } from '../command-wire.ts';
import type { CountStreams } from '../counts.ts';
import type { CommandProtocol } from '../protocols.ts';
import type { Timeouts } from '../timeouts.ts';
import { SpdyConnection } from './connection.ts';
import type { SpdyStream } from './stream.ts';

/** Error, three of the command, resize. */
const MAX_STREAMS = 5;

/** The streams that the client asked for in its call of the CRI. */
export interface WantedStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/**
 * Waits until the client has opened the streams of its command, by header `streamtype`. The resize stream may come
 * later, or never. Rejects with Fault `deadline` when they do not come, `cancelled` when the client leaves.
 */
export async function spdyCommand(
  transport: Duplex,
  head: Buffer,
  protocol: CommandProtocol,
  wanted: WantedStreams,
  { timeouts, count }: { timeouts: Timeouts; count?: CountStreams },
): Promise<CommandWire & { connection: SpdyConnection }> {
  const open = new Map<string, SpdyStream>();
  const sizes = new TerminalSizes();
  const types = new Set([
    'error',
    ...(['stdin', 'stdout', 'stderr'] as const).filter((type) => wanted[type]),
  ]);
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const connection = new SpdyConnection(transport, {
    maxStreams: MAX_STREAMS,
    idleMs: timeouts.idleMs,
    count,
    onStream(stream) {
      const type = stream.headers['streamtype'] ?? '';
      if (open.has(type) || !(types.has(type) || (type === 'resize' && protocol.version >= 3))) return false;
      open.set(type, stream);
      if (type === 'resize') stream.on('data', (bytes: Buffer) => sizes.read(bytes));
      else if (type !== 'stdin') stream.resume();
      if ([...types].every((one) => open.has(one))) resolve();
      return true;
    },
  });
  const late = setTimeout(() => reject(tooLate(timeouts.creationMs, open)), timeouts.creationMs);
  const left = (): void =>
    reject(
      new Fault('cancelled', 'The connection ended before its streams were open', {
        cause: connection.closed.reason,
      }),
    );
  connection.closed.addEventListener('abort', left, { once: true });
  try {
    connection.take(head);
    await complete;
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    clearTimeout(late);
    connection.closed.removeEventListener('abort', left);
  }
  const error = open.get('error')!;
  // A client that ends its session resets its streams first, and may be long in closing the connection.
  const gone = AbortSignal.any([connection.closed, resetOf(error)]);
  return {
    connection,
    protocol,
    stdin: open.get('stdin'),
    stdout: open.get('stdout'),
    stderr: open.get('stderr'),
    error,
    sizes,
    gone,
    async finish() {
      for (const stream of open.values()) stream.end().resume();
      await connection.finish(timeouts.lingerMs);
    },
  };
}

function resetOf(stream: SpdyStream): AbortSignal {
  const abort = new AbortController();
  stream.once('error', (error) => abort.abort(error));
  return abort.signal;
}

function tooLate(ms: number, open: Map<string, SpdyStream>): Fault {
  const there = open.size === 0 ? 'none came' : `there are: ${[...open.keys()].join(', ')}`;
  return new Fault('deadline', `The client did not open its streams within ${ms / 1000} s; ${there}`);
}
