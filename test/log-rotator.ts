import { existsSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../cri/client.ts';

/*
 * Rotates a container's log as a kubelet does, for ever: `log-rotator.ts <socket> <container id> <log>`. A log that is
 * missing (an earlier rotator died between its two steps) is opened anew first. Prints a line for each rotation.
 */

const EVERY_MS = 50;

const [socket, containerId, log] = process.argv.slice(2) as [string, string, string];
const client = new Client(socket);
const reopen = (): Promise<unknown> => client.call('ReopenContainerLog', { containerId });

for (;;) {
  try {
    if (!existsSync(log)) await reopen();
    renameSync(log, `${log}.${process.hrtime.bigint()}`);
    await reopen();
    console.log('rotated');
  } catch (error) {
    // The daemon is down, or the container ended.
    console.log(`failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  await sleep(EVERY_MS);
}
