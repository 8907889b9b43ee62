import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type https from 'node:https';
import { getCACertificates } from 'node:tls';
import type { RegistryHost } from './hosts.ts';

// An import statement takes every export of node:http, also WebSocket, and with it all of undici: 40 ms and 16 MB.
// TLS is loaded for the first registry that speaks it: 8 MB.
const http = process.getBuiltinModule('node:http');
const tls = (): typeof https => process.getBuiltinModule('node:https');

/** Waits and bounds of talking to registries. All in milliseconds, unless the name says otherwise. */
export interface TransferLimits {
  /** From the request to the head of the answer. */
  answerTimeout: number;
  /** Without one byte of a body. */
  stallTimeout: number;
  /** Over this much waiting time a body must bring at least `floorBytes`, else it counts as stalled. */
  floorWindow: number;
  floorBytes: number;
  /** First wait before another try; it doubles up to `maxBackoff`, which also bounds Retry-After. */
  backoff: number;
  maxBackoff: number;
  /** Tries of a request; broken transfers in a row without progress. */
  tries: number;
}

export const DEFAULT_LIMITS: TransferLimits = {
  answerTimeout: 30_000,
  stallTimeout: 30_000,
  floorWindow: 60_000,
  floorBytes: 64 * 1024,
  backoff: 250,
  maxBackoff: 60_000,
  tries: 5,
};

export interface Ask {
  method?: 'GET' | 'HEAD' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: IncomingMessage;
}

/** The other side could not be reached, or broke off: trying again can help. The message holds no query strings. */
export class TransferError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransferError';
  }
}

const MAX_REDIRECTS = 8;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** HTTP towards one registry host: keep-alive connections, its TLS settings, redirects. */
export class Transport {
  readonly #host: RegistryHost;
  readonly #limits: TransferLimits;
  readonly #plain = new http.Agent({ keepAlive: true, maxSockets: 32, proxyEnv: process.env });
  #secure: https.Agent | undefined;
  #foreign: https.Agent | undefined;

  constructor(host: RegistryHost, limits: TransferLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  /**
   * Sends a request and follows redirects; credentials and configured headers go to the first origin only.
   * Throws TransferError, or the signal's reason.
   */
  async ask(url: URL, ask: Ask): Promise<Answer> {
    let target = url;
    let headers: Record<string, string> = { 'user-agent': 'berth', ...this.#host.headers, ...ask.headers };
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const answer = await this.#send(target, { ...ask, headers });
      if (!REDIRECTS.has(answer.status) || answer.headers.location === undefined) return answer;
      answer.body.resume();
      const next = locationOf(answer.headers.location, target);
      if (target.protocol === 'https:' && next.protocol !== 'https:') {
        throw new TransferError(`${placeOf(target)} redirects to plain http`);
      }
      if (next.origin !== url.origin) headers = withoutSecrets(headers, this.#host.headers);
      target = next;
    }
    throw new TransferError(`${placeOf(url)} redirects more than ${MAX_REDIRECTS} times`);
  }

  close(): void {
    this.#plain.destroy();
    this.#secure?.destroy();
    this.#foreign?.destroy();
  }

  #send(url: URL, { method = 'GET', headers, body, signal }: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:';
      const agent = secure ? this.#secureAgent(url) : this.#plain;
      const request = (secure ? tls() : http).request(url, { method, headers, agent, signal });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${this.#limits.answerTimeout} ms`)),
        this.#limits.answerTimeout,
      );
      request.once('response', (response) => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
      });
      request.on('error', (error) => {
        clearTimeout(timer);
        reject(signal?.aborted ? signal.reason : transferError(url, error));
      });
      request.end(body);
    });
  }

  /** The host's own CA, client certificate and skip_verify are for its origin alone, not for where it redirects. */
  #secureAgent(url: URL): https.Agent {
    const usual = { keepAlive: true, maxSockets: 32, proxyEnv: process.env };
    const { base, ca, client, skipVerify } = this.#host;
    if (url.origin !== base.origin) return (this.#foreign ??= new (tls().Agent)(usual));
    this.#secure ??= new (tls().Agent)({
      ...usual,
      rejectUnauthorized: !skipVerify,
      // Beside the usual roots, as with the peers.
      ...(ca.length > 0 && {
        ca: [...getCACertificates('default'), ...ca.map((path) => readFileSync(path, 'utf8'))],
      }),
      ...(client.length > 0 && {
        cert: client.map(({ cert }) => readFileSync(cert)),
        key: client.map(({ key }) => readFileSync(key)),
      }),
    });
    return this.#secure;
  }
}

/**
 * The chunks of a body as they come. Throws TransferError when it stalls, trickles or breaks. Time in which the
 * reader itself is busy does not count.
 */
export async function* bodyChunks(
  body: IncomingMessage,
  from: URL,
  limits: TransferLimits,
): AsyncGenerator<Buffer> {
  let waited = 0;
  let bytes = 0;
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const asked = performance.now();
      const next = await unlessStalled(chunks.next(), body, limits.stallTimeout);
      if (next.done === true) break;
      waited += performance.now() - asked;
      bytes += next.value.length;
      if (waited > limits.floorWindow) {
        if (bytes < limits.floorBytes) throw new Error(`only ${bytes} bytes in ${Math.round(waited)} ms`);
        waited = 0;
        bytes = 0;
      }
      yield next.value;
    }
  } catch (error) {
    throw transferError(from, error);
  } finally {
    body.destroy();
  }
}

async function unlessStalled<T>(next: Promise<T>, body: IncomingMessage, timeout: number): Promise<T> {
  const timer = setTimeout(() => body.destroy(new Error(`no data within ${timeout} ms`)), timeout);
  try {
    return await next;
  } finally {
    clearTimeout(timer);
  }
}

/** A small body whole. Throws TransferError when it breaks or is longer than `max`. */
export async function wholeBody(
  body: IncomingMessage,
  from: URL,
  max: number,
  limits: TransferLimits,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyChunks(body, from, limits)) {
    size += chunk.length;
    if (size > max) throw new TransferError(`${placeOf(from)} sent more than ${max} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** Host and path of a URL. Queries are left out: redirects carry signatures in them. */
export function placeOf(url: URL): string {
  return url.host + url.pathname;
}

function locationOf(location: string, base: URL): URL {
  const next = URL.parse(location, base);
  if (next === null || !/^https?:$/.test(next.protocol)) {
    throw new TransferError(`${placeOf(base)} redirects to no http address`);
  }
  return next;
}

function withoutSecrets(
  headers: Record<string, string>,
  configured: Record<string, string>,
): Record<string, string> {
  const secret = new Set(['authorization', ...Object.keys(configured)].map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secret.has(name.toLowerCase())));
}

function transferError(url: URL, error: unknown): TransferError {
  if (error instanceof TransferError) return error;
  // Node's error of several failed addresses has no message of its own.
  const reasons = error instanceof AggregateError ? error.errors : [error];
  const text = reasons
    .map((reason) => (reason instanceof Error ? reason.message : String(reason)))
    .join(', ');
  return new TransferError(`${placeOf(url)}: ${text}`);
}
