import { spawn, type ChildProcess } from 'node:child_process';
import type { TestNode } from './node.ts';

/** `echo` sends back what comes, `reset` resets each connection at its first byte. */
export type ServerKind = 'echo' | 'reset';

/** The server, as a program of its own: it runs in another network namespace than the tests. */
const PROGRAM = `
  const [address, port, kind] = process.argv.slice(1);
  const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    if (kind === 'reset') socket.once('data', () => socket.resetAndDestroy());
    else socket.pipe(socket);
  });
  server.listen({ host: address, port: Number(port), ipv6Only: true }, () => console.log('listening'));`;

/** A server on a pod's (or, without one, the node's) loopback. Ended by the disposer. */
export async function podServer(
  node: TestNode,
  sandbox: string | undefined,
  port: number,
  { address = '127.0.0.1', kind = 'echo' }: { address?: string; kind?: ServerKind } = {},
): Promise<AsyncDisposable> {
  const enter = sandbox === undefined ? [] : ['nsenter', `--net=${node.state}/netns/${sandbox}`, '--'];
  const program = [process.execPath, '-e', PROGRAM, address, String(port), kind];
  const [file, ...argv] = node.space.inside([...enter, ...program]);
  const child: ChildProcess = spawn(file!, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}`)));
  });
  return {
    async [Symbol.asyncDispose]() {
      const over = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await over;
    },
  };
}
