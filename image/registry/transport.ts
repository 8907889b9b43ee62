import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Fault } from '../../ground/fault.ts';
import { Agents } from './agents.ts';
import type { RegistryHost } from './hosts.ts';

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

/**
 * The other side could not be reached, or broke off. The message holds no query strings and no passwords.
 */
export class TransferError extends Error {
  /** Whether trying the same host again can help. */
  readonly again: boolean;
  /** How long the host asked to be left alone, in milliseconds. */
  readonly wait: number | undefined;

  constructor(message: string, options: { again?: boolean; wait?: number | undefined } = {}) {
    super(message);
    this.name = 'TransferError';
    this.again = options.again ?? true;
    this.wait = options.wait;
  }
}

const MAX_REDIRECTS = 8;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** What is read of an answer that nobody wants, so that its connection can serve again. */
const MAX_DISCARD = 64 * 1024;

/** HTTP towards one registry host: keep-alive connections, its TLS settings, redirects. */
export class Transport {
  readonly #host: RegistryHost;
  readonly #limits: TransferLimits;
  readonly #agents: Agents;

  constructor(host: RegistryHost, limits: TransferLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#agents = new Agents(host);
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
      discard(answer);
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
    this.#agents.close();
  }

  async #send(url: URL, { method = 'GET', headers, body, signal }: Ask): Promise<Answer> {
    const { request: send, agent } = await this.#agents.way(url);
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const request = send(url, { method, headers, agent, signal });
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
}

/** Lets go of an answer whose body is of no use. */
export function discard({ headers, body }: Answer): void {
  body.on('error', () => {}); // nobody reads it
  if (Number(headers['content-length'] ?? Infinity) > MAX_DISCARD) body.destroy();
  else body.resume();
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

/** Answers of the TLS handshake that a second try will not change. */
const NO_TRUST =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL_)/;

function transferError(url: URL, error: unknown): unknown {
  if (error instanceof TransferError || error instanceof Fault) return error;
  // Node's error of several failed addresses has no message of its own.
  const reasons: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const text = reasons
    .map((reason) => (reason instanceof Error ? reason.message : String(reason)))
    .join(', ')
    // A proxy's address can hold a password.
    .replace(/\/\/[^/\s@]*@/g, '//')
    // Node's advice is about a flag of its own, which nobody gives it here.
    .replace(/; if the root CA is installed locally.*/, '')
    .trim();
  const distrust = reasons.some((reason) => NO_TRUST.test((reason as NodeJS.ErrnoException).code ?? ''));
  const hint = distrust
    ? ' (its CA can be added to those of the node; a CA, client certificate or plain http for this host alone can be set in hosts.toml)'
    : '';
  return new TransferError(`${placeOf(url)}: ${text}${hint}`, { again: !distrust });
}
