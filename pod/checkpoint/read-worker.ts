import { parentPort } from 'node:worker_threads';
import { Fault, messageOf, type FaultKind } from '../../ground/fault.ts';
import type { CheckpointMetadata } from './metadata.ts';
import { readCheckpoint, unpackCheckpoint, type CheckpointPlace, type UnpackTarget } from './unpack.ts';

/** What is asked of the worker. `stop` is set to 1 when nobody waits any more. */
export interface ReadRequest {
  stop: Int32Array;
  place: CheckpointPlace;
  /** Absent: only what the checkpoint says is wanted. */
  into?: UnpackTarget;
}

/** What it answers. */
export type ReadReply =
  | { metadata: CheckpointMetadata | undefined }
  | { failure: { kind: FaultKind; what: string; hint: string | undefined } };

/** The worker's side of `inReader`: reads whole checkpoints with synchronous calls, away from the event loop. */

parentPort?.on('message', (request: ReadRequest) => {
  parentPort?.postMessage(serve(request));
});

function serve({ stop, place, into }: ReadRequest): ReadReply {
  const check = (): void => {
    if (Atomics.load(stop, 0) === 1) throw new Fault('cancelled', 'Nobody waits for this any more');
  };
  try {
    if (into === undefined) return { metadata: readCheckpoint(place, check) };
    unpackCheckpoint(place, into, check);
    return { metadata: undefined };
  } catch (error) {
    if (!(error instanceof Fault))
      return { failure: { kind: 'internal', what: messageOf(error), hint: undefined } };
    const cause = error.cause === undefined ? '' : `: ${messageOf(error.cause)}`;
    return { failure: { kind: error.kind, what: `${error.what}${cause}`, hint: error.hint } };
  }
}
