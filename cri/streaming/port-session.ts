import type { Duplex, Readable, Writable } from 'node:stream';
import { messageOf } from '../../ground/fault.ts';
import type { Streams } from '../../pod/streams.ts';
import { pump } from './pump.ts';

/** One forwarded connection: bytes both ways, and what went wrong. */
export interface PortPair {
  /** What the client sends, to its end. */
  input: Readable;
  output: Writable;
  error: Writable;
}

/**
 * Connects to the port and passes bytes both ways, each direction to its own end. What goes wrong is told on the
 * pair's error stream, and ends this pair alone. Never rejects.
 */
export async function servePort(
  streams: Streams,
  sandboxId: string,
  port: number,
  { input, output, error }: PortPair,
  gone: AbortSignal,
): Promise<void> {
  let target: Duplex;
  try {
    target = await streams.connect(sandboxId, port, gone);
  } catch (fault) {
    error.end(problem(sandboxId, port, fault));
    input.destroy();
    output.destroy();
    return;
  }
  target.on('error', () => {});
  const hangUp = (): void => void target.destroy();
  gone.addEventListener('abort', hangUp, { once: true });
  try {
    if (gone.aborted) hangUp();
    await Promise.all([pump(target, output), pump(input, target)]);
    error.end();
  } catch (fault) {
    if (!error.destroyed) error.end(output.destroyed ? undefined : problem(sandboxId, port, fault));
    input.destroy();
    output.destroy();
  } finally {
    gone.removeEventListener('abort', hangUp);
    target.destroy();
  }
}

function problem(sandboxId: string, port: number, fault: unknown): string {
  return `error forwarding port ${port} to pod ${sandboxId}: ${messageOf(fault)}`;
}
