import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { STILL_MS, type AgentStatus } from './agent.ts';

// An import statement takes every export of node:http, also WebSocket, and with it all of undici: 16 MB.
const { createServer, request } = process.getBuiltinModule('node:http');

/** Whether the agent's loops go on. Neither the API server nor the daemon has a part in it: a restart mends neither. */
export function isAlive({ stillForMs }: AgentStatus): boolean {
  return stillForMs < STILL_MS;
}

/**
 * Answers `GET /healthz` with the agent's status as JSON, with 200 while it is alive, else with 503; anything else
 * with 404 and the paths that there are.
 */
export function answerHealth(
  asked: IncomingMessage,
  response: ServerResponse,
  status: () => AgentStatus,
  paths = 'Only GET /healthz is here',
): void {
  if (asked.method !== 'GET' || asked.url?.split('?')[0] !== '/healthz') {
    response.writeHead(404).end(`${paths}\n`);
    return;
  }
  const now = status();
  response.writeHead(isAlive(now) ? 200 : 503, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(now)}\n`);
}

/**
 * Answers `GET /healthz` on the unix socket at `path`. A socket that is there is replaced: of two agents the newer one answers. Throws Fault `unavailable`.
 */
export async function serveHealth(path: string, status: () => AgentStatus): Promise<AsyncDisposable> {
  const server = createServer((asked, response) => answerHealth(asked, response, status));
  // Born under a name that no other agent takes, so that what it replaces goes in one step.
  const born = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
    rmSync(born, { force: true });
    await listening(server, born);
    chmodSync(born, 0o600);
    renameSync(born, path);
  } catch (cause) {
    server.close();
    throw new Fault('unavailable', `The agent cannot be asked on ${path}`, {
      cause,
      hint: 'give --health a path that can be written, of at most 90 bytes',
    });
  }
  return {
    // The file may be another agent's by now; without one behind it, it is refused, and the next one replaces it.
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

/** Asks the agent behind `path`. Throws Fault `unavailable` when none answers within `patienceMs` milliseconds. */
export function askHealth(path: string, patienceMs: number): Promise<AgentStatus> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        new Fault('unavailable', `No agent answers on ${path}`, { cause, hint: 'see berth agent --help' }),
      );
    const asked = request({ socketPath: path, path: '/healthz', timeout: patienceMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', fail);
      response.on('end', () => {
        try {
          resolve(JSON.parse(text) as AgentStatus);
        } catch (error) {
          fail(error);
        }
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`within ${patienceMs} ms`)));
    asked.on('error', fail);
    asked.end();
  });
}
