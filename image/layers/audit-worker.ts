import { parentPort } from 'node:worker_threads';
import { Fault, messageOf } from '../../ground/fault.ts';
import { packLayer, type PackedLayer, type Packing } from './pack.ts';
import type { Failure } from './protocol.ts';
import { verifyLayer, type LayerOnDisk } from './rebuild.ts';

/** What the daemon's thread asks of the worker: one thing at a time. `stop` is set to 1 when nobody waits any more. */
export type AuditRequest = { stop: Int32Array } & ({ verify: LayerOnDisk } | { pack: Packing });
/** What the worker answers. */
export type AuditReply = { failure: Failure } | { packed: PackedLayer | undefined };

/** The worker's side of LayerAudit: reads whole layers with synchronous calls, away from the event loop. */

parentPort?.on('message', (request: AuditRequest) => {
  void serve(request).then((reply) => parentPort?.postMessage(reply));
});

async function serve(request: AuditRequest): Promise<AuditReply> {
  const check = (): void => {
    if (Atomics.load(request.stop, 0) === 1) throw new Fault('cancelled', 'Nobody waits for this any more');
  };
  try {
    if ('pack' in request) return { packed: await packLayer(request.pack, check) };
    verifyLayer(request.verify, check);
    return { packed: undefined };
  } catch (error) {
    return {
      failure: { kind: error instanceof Fault ? error.kind : 'internal', message: messageOf(error) },
    };
  }
}
