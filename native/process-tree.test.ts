import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { descendants } from './process-tree.ts';

describe('the descendants of a process', () => {
  it('are those that any of its threads made', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
      const child = require('node:child_process').spawn('sleep', ['1000']);
      parentPort.postMessage(child.pid);
      parentPort.once('message', () => child.kill('SIGKILL'));`,
      { eval: true },
    );
    const [pid] = (await once(worker, 'message')) as [number];
    try {
      assert.ok(descendants(process.pid).some((child) => child.pid === pid));
    } finally {
      worker.postMessage('end');
      await once(worker, 'exit');
    }
    assert.ok(!descendants(process.pid).some((child) => child.pid === pid));
  });
});
