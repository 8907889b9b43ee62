import { Worker } from 'node:worker_threads';
import { Fault } from '../../ground/fault.ts';
import type { AuditReply, AuditRequest } from './audit-worker.ts';
import type { PackedLayer, Packing } from './pack.ts';
import type { LayerOnDisk } from './rebuild.ts';

type Task = { verify: LayerOnDisk } | { pack: Packing };

/** A thread that reads whole layers, one after the other. It ends when it is disposed of. */
export class LayerAudit implements AsyncDisposable {
  readonly #worker = new Worker(new URL('./audit-worker.ts', import.meta.url), { name: 'audit' });
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    this.#worker.unref();
  }

  /** Reads a layer. Rejects with Fault('data-loss') when it is damaged. */
  async verify(verify: LayerOnDisk, signal: AbortSignal): Promise<void> {
    await this.#ask({ verify }, signal);
  }

  /** Writes a layer's stream into an archive. Rejects with Fault('data-loss') when the layer is damaged. */
  async pack(pack: Packing, signal: AbortSignal): Promise<PackedLayer> {
    const { packed } = await this.#ask({ pack }, signal);
    return packed!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {}); // told to whom it concerned
    await this.#worker.terminate();
  }

  #ask(task: Task, signal: AbortSignal): Promise<Exclude<AuditReply, { failure: unknown }>> {
    const answer = this.#last.catch(() => {}).then(() => this.#answer(task, signal));
    this.#last = answer;
    return answer;
  }

  async #answer(task: Task, signal: AbortSignal): Promise<Exclude<AuditReply, { failure: unknown }>> {
    signal.throwIfAborted();
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const abort = (): void => void Atomics.store(stop, 0, 1);
    signal.addEventListener('abort', abort, { once: true });
    this.#worker.ref();
    try {
      const reply = await new Promise<AuditReply>((resolve, reject) => {
        this.#worker.once('message', resolve);
        this.#worker.once('error', reject);
        this.#worker.postMessage({ stop, ...task } satisfies AuditRequest);
      });
      signal.throwIfAborted();
      if ('failure' in reply) throw new Fault(reply.failure.kind, reply.failure.message);
      return reply;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#worker.removeAllListeners('error');
      this.#worker.unref();
    }
  }
}
