import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { CLONE, unshare } from './namespaces.ts';
import { makePrivate, mountTmpfs } from './mount.ts';

/**
 * Test cases that change the namespaces of their thread: each runs on a thread of its own, in a mount and a network
 * namespace of its own and an empty /tmp, which end with it. Called at the top level of a test file, which the thread loads again.
 */
export function threadCases(file: string, title: string, cases: Record<string, () => void>): void {
  if (isMainThread) {
    describe(title, () => {
      for (const name of Object.keys(cases)) it(name, () => onThread(file, name));
    });
    return;
  }
  unshare(CLONE.NEWNS | CLONE.NEWNET);
  makePrivate('/');
  mountTmpfs('/tmp');
  cases[(workerData as { name: string }).name]!();
}

function onThread(file: string, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(file), { workerData: { name } });
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}
