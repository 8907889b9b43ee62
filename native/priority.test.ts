import assert from 'node:assert/strict';
import { once } from 'node:events';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';

describe('priorities of threads', () => {
  it('are lowered for one thread alone', async () => {
    const before = getPriority();
    const module = new URL('./priority.ts', import.meta.url).href;
    const script = `import(${JSON.stringify(module)}).then(({ lowerPriority }) => {
      lowerPriority(11);
      const stat = require('node:fs').readFileSync('/proc/thread-self/stat', 'latin1');
      require('node:worker_threads').parentPort.postMessage(stat.slice(stat.lastIndexOf(')')).split(' ')[17]);
    })`;
    const worker = new Worker(script, { eval: true });
    const [nice] = (await once(worker, 'message')) as [string];
    await worker.terminate();
    assert.equal(nice, '11');
    assert.equal(getPriority(), before);
  });
});
