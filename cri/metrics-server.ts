import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Fault, messageOf } from '../ground/fault.ts';

// An import statement takes every export of node:http, also WebSocket, and with it all of undici: 40 ms and 16 MB.
const { createServer } = process.getBuiltinModule('node:http');

/** Serves `/metrics` over HTTP. */
export interface MetricsServer {
  port: number;
  close(): Promise<void>;
}

/** What is served: a registry's page. */
export interface MetricsPage {
  page(): Promise<{ contentType: string; text: string }>;
}

export interface MetricsServerOptions {
  /** Default: nothing else is there. */
  others?: OtherPaths | undefined;
  /** What to try when the address cannot be had. */
  hint?: string;
}

/** Answers requests for anything but `/metrics`. */
export type OtherPaths = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const DAEMON_HINT = 'give [metrics] listen another address, or "" for none';

const nothingElse: OtherPaths = async (_request, response) => {
  response.writeHead(404).end('Only GET /metrics is here\n');
};

/** Listens on `host:port` (`[::1]:9464` too). Rejects with Fault `unavailable` when that cannot be had. */
export async function serveMetrics(
  metrics: MetricsPage,
  listen: string,
  { others = nothingElse, hint = DAEMON_HINT }: MetricsServerOptions = {},
): Promise<MetricsServer> {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  const server = createServer((request, response) => {
    const failed = (error: unknown): void => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(`${messageOf(error)}\n`);
    };
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      others(request, response).catch(failed);
      return;
    }
    metrics
      .page()
      .then(({ contentType, text }) => response.writeHead(200, { 'content-type': contentType }).end(text))
      .catch(failed);
  });
  server.requestTimeout = 10_000;
  await listening(server, Number(listen.slice(colon + 1)), host).catch((cause: unknown) => {
    throw new Fault('unavailable', `Metrics cannot be served on ${listen}`, { cause, hint });
  });
  server.unref();
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}
