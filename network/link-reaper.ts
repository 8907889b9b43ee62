import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * Deletes links on a thread of its own: each deletion waits some 20 ms for the kernel (RCU), which the event loop
 * must not. Rejects when one cannot be deleted; a link that is gone already is fine.
 */
export async function reapLinks(names: string[]): Promise<void> {
  if (names.length === 0) return;
  const worker = new Worker(new URL('./link-reaper-worker.ts', import.meta.url), { workerData: { names } });
  // `once` rejects with what the worker threw.
  await once(worker, 'exit');
}
