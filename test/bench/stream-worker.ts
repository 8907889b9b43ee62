import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { runCommand } from './stream-client.ts';

/*
 * One timed transfer, in the node's namespaces: `output|input BYTES spdy|websocket URL`, or
 * `output|input BYTES pipe SHELL-COMMAND`. Prints the seconds from the request to the command's end.
 */

async function throughServer(
  direction: string,
  bytes: number,
  transport: 'spdy' | 'websocket',
  url: string,
): Promise<void> {
  const input = direction === 'input';
  const result = await runCommand(url, transport, input ? bytes : 0);
  if (!result.status.includes('"Success"')) throw new Error(result.status);
  if (!input && result.bytes !== bytes)
    throw new Error(`${result.bytes} of ${bytes} bytes came over ${transport}`);
}

async function throughPipe(script: string): Promise<void> {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
}

const [direction, size, transport, target] = process.argv.slice(2) as [string, string, string, string];
const begun = performance.now();
if (transport === 'pipe') await throughPipe(target);
else await throughServer(direction, Number(size), transport as 'spdy' | 'websocket', target);
console.log((performance.now() - begun) / 1000);
