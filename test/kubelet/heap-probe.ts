import { renameSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/*
 * Loaded into the daemon by NODE_OPTIONS: at SIGUSR2 it collects all garbage and writes what is left to the file that
 * BERTH_HEAP_FILE names. bin/berth starts Node with --expose-gc.
 */

const file = process.env['BERTH_HEAP_FILE'];
if (isMainThread && file !== undefined && process.argv.includes('serve'))
  process.on('SIGUSR2', () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    writeFileSync(`${file}.part`, JSON.stringify({ heapUsed, external }));
    renameSync(`${file}.part`, file);
  });
