import { renameSync, writeFileSync } from 'node:fs';
import { getHeapSpaceStatistics } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { garbageCollector } from '../../native/garbage.ts';
import { releaseFreeMemory, releaseProgramPages } from '../../native/memory.ts';

/*
 * Loaded into the daemon by NODE_OPTIONS: at SIGUSR2 it collects all garbage and writes what is left to the file that
 * BERTH_HEAP_FILE names; `code` is the part that V8 made of the program: bytecode and machine code. What a
 * daemon at rest gives back is given back, too: whether it has rested lately would be most of the difference between two
 * looks.
 */

const file = process.env['BERTH_HEAP_FILE'];
if (isMainThread && file !== undefined && process.argv.includes('serve'))
  process.on('SIGUSR2', () => {
    garbageCollector()();
    releaseFreeMemory();
    releaseProgramPages();
    const { heapUsed, external } = process.memoryUsage();
    const code = getHeapSpaceStatistics()
      .filter(({ space_name: space }) => /^(code|trusted)_/.test(space))
      .reduce((sum, { space_used_size: size }) => sum + size, 0);
    writeFileSync(`${file}.part`, JSON.stringify({ heapUsed, external, code }));
    renameSync(`${file}.part`, file);
  });
