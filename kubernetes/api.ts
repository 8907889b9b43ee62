import type { ClientRequest, IncomingMessage } from 'node:http';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Login, LoginSource } from './login.ts';

// An import statement takes every export of node:http, also WebSocket, and with it all of undici: 40 ms and 16 MB.
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');
const { createGunzip } = process.getBuiltinModule('node:zlib');
const { pipeline } = process.getBuiltinModule('node:stream');

/** What is asked of an API server. */
export interface ApiRequest {
  /** Default: GET. */
  method?: 'GET' | 'POST' | 'PATCH';
  path: string;
  query?: Record<string, string>;
  /** Sent as JSON. */
  body?: object;
  /** What kind of JSON; for PATCH it says which kind of patch. Default: application/json. */
  contentType?: string;
}

/** What an API server answered. */
export interface ApiAnswer {
  status: number;
  /** How long the server wants to be left alone, in milliseconds (Retry-After in seconds). */
  retryAfterMs: number | undefined;
  /** Has to be read to its end, or left by `break` or an error. */
  body: AsyncIterable<Uint8Array>;
}

/** Asks an API server. Rejects when there is no answer, and with the signal's reason. */
export type Api = (request: ApiRequest, signal: AbortSignal) => Promise<ApiAnswer>;

const PROBE_AFTER_MS = 30_000;

/**
 * The API server that a login leads to, over HTTP/1.1. Login and connection are new for each request: certificates and
 * tokens are renewed by others, and a connection that a dead server has left open is used by nobody.
 */
export function apiServer(login: LoginSource): Api {
  return async (request, signal) => {
    const credentials = await login();
    signal.throwIfAborted();
    try {
      const response = await send(credentials, request, signal);
      const retryAfter = Number(response.headers['retry-after']);
      return {
        status: response.statusCode ?? 0,
        retryAfterMs: retryAfter > 0 ? retryAfter * 1000 : undefined,
        body: bodyOf(response, signal),
      };
    } catch (cause) {
      signal.throwIfAborted();
      throw new Fault('unavailable', `The API server ${credentials.server} does not answer`, {
        cause: reasonOf(cause),
      });
    }
  };
}

function send(login: Login, request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { method = 'GET', path, query = {}, body, contentType = 'application/json' } = request;
  const search = new URLSearchParams(query).toString();
  const url = new URL(`${login.server.replace(/\/+$/, '')}${path}${search === '' ? '' : `?${search}`}`);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const options = {
    ...login.tls,
    method,
    signal,
    agent: login.agent ?? false,
    headers: {
      accept: 'application/json',
      'user-agent': 'berth',
      // A watch is read as it comes; lists shrink to a tenth.
      ...(query['watch'] === undefined ? { 'accept-encoding': 'gzip' } : {}),
      ...(text === undefined
        ? {}
        : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) }),
      ...login.headers,
    },
  };
  return new Promise((resolve, reject) => {
    const sent: ClientRequest =
      url.protocol === 'http:' ? http.request(url, options) : https.request(url, options);
    sent.once('response', resolve);
    // Not once: an abort after the answer is told here, too.
    sent.on('error', reject);
    sent.once('socket', (socket) => socket.setKeepAlive(true, PROBE_AFTER_MS));
    sent.end(text);
  });
}

async function* bodyOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const packed = response.headers['content-encoding'] === 'gzip';
  // An error of either side destroys both, and comes out of the iteration.
  const stream = packed ? pipeline(response, createGunzip(), () => {}) : response;
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (cause) {
    signal.throwIfAborted();
    throw new Fault('unavailable', 'The connection to the API server broke off', { cause: reasonOf(cause) });
  } finally {
    response.destroy();
  }
}

/** A host with several addresses fails with an error for each, below one that says nothing. */
function reasonOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : error;
}
