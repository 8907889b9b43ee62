import { Worker } from 'node:worker_threads';
import { Fault } from '../../ground/fault.ts';
import type { CheckpointMetadata } from './metadata.ts';
import type { ReadReply, ReadRequest } from './read-worker.ts';
import type { UnpackTarget } from './unpack.ts';

/** What an archive says of its container: `readCheckpoint` in a thread of its own. */
export async function checkpointIn(archive: string, signal: AbortSignal): Promise<CheckpointMetadata> {
  return (await inReader({ archive }, signal))!;
}

/** `unpackCheckpoint` in a thread of its own. */
export async function unpackInto(archive: string, into: UnpackTarget, signal: AbortSignal): Promise<void> {
  await inReader({ archive, into }, signal);
}

async function inReader(
  task: Omit<ReadRequest, 'stop'>,
  signal: AbortSignal,
): Promise<CheckpointMetadata | undefined> {
  signal.throwIfAborted();
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const abort = (): void => void Atomics.store(stop, 0, 1);
  signal.addEventListener('abort', abort, { once: true });
  const worker = new Worker(new URL('./read-worker.ts', import.meta.url), { name: 'checkpoint' });
  try {
    const reply = await new Promise<ReadReply>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.postMessage({ stop, ...task } satisfies ReadRequest);
    });
    signal.throwIfAborted();
    if ('metadata' in reply) return reply.metadata;
    const { kind, what, hint } = reply.failure;
    throw new Fault(kind, `The checkpoint ${task.archive} cannot be restored: ${what}`, {
      ...(hint !== undefined && { hint }),
    });
  } finally {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
