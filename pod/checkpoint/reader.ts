import { Worker } from 'node:worker_threads';
import { Fault } from '../../ground/fault.ts';
import type { CheckpointMetadata } from './metadata.ts';
import type { ReadReply, ReadRequest } from './read-worker.ts';
import type { CheckpointPlace, UnpackTarget } from './unpack.ts';

/** A checkpoint and what people call it: the path of the archive, the name of the image. */
export interface NamedCheckpoint {
  name: string;
  place: CheckpointPlace;
  /** Of the image, whose layers have to stay until it is unpacked. */
  imageId?: string;
}

/** What a checkpoint says of its container: `readCheckpoint` in a thread of its own. */
export async function checkpointIn(
  checkpoint: NamedCheckpoint,
  signal: AbortSignal,
): Promise<CheckpointMetadata> {
  return (await inReader(checkpoint, undefined, signal))!;
}

/** `unpackCheckpoint` in a thread of its own. */
export async function unpackInto(
  checkpoint: NamedCheckpoint,
  into: UnpackTarget,
  signal: AbortSignal,
): Promise<void> {
  await inReader(checkpoint, into, signal);
}

async function inReader(
  { name, place }: NamedCheckpoint,
  into: UnpackTarget | undefined,
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
      worker.postMessage({ stop, place, ...(into && { into }) } satisfies ReadRequest);
    });
    signal.throwIfAborted();
    if ('metadata' in reply) return reply.metadata;
    const { kind, what, hint } = reply.failure;
    throw new Fault(kind, `The checkpoint ${name} cannot be restored: ${what}`, {
      ...(hint !== undefined && { hint }),
    });
  } finally {
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
