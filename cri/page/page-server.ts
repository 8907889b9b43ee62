import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Rooms } from '../handler.ts';
import { refusalOf } from './access.ts';
import { Feed } from './feed.ts';
import type { NodeSnapshot } from './parts.ts';
import type { RecentWork } from './recent-work.ts';
import { snapshotOf } from './snapshot.ts';
import { loadWebFiles, type WebFile } from './web-files.ts';

/**
 * Nothing from elsewhere, nothing inline, no frame, no form, and no way from text to markup. Styles are set through the
 * object model, which the policy lets pass.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/** Below this, compressing makes nothing smaller that matters. */
const WORTH_COMPRESSING = 1024;

/** Answers the page, its files, `/api/node` and `/api/events`. Its parts are loaded with the first request. */
export class PageServer {
  readonly #files: ReadonlyMap<string, WebFile>;
  readonly #snapshot: () => NodeSnapshot;
  readonly #feed: Feed;
  readonly #ownName = hostname();

  private constructor(files: ReadonlyMap<string, WebFile>, snapshot: () => NodeSnapshot) {
    this.#files = files;
    this.#snapshot = snapshot;
    this.#feed = new Feed({ snapshot });
  }

  /** Rejects when the page's files cannot be read. */
  static async open(rooms: Rooms, recent: RecentWork): Promise<PageServer> {
    return new PageServer(await loadWebFiles(), () => snapshotOf(rooms, recent));
  }

  /** Those who watch now. */
  get watchers(): number {
    return this.#feed.watchers;
  }

  /** Answers one request, whatever it asks for. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = refusalOf(request.headers, this.#ownName);
    if (refusal !== undefined) return plain(response, 403, refusal);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return plain(response, 405, 'Only GET and HEAD are here', { allow: 'GET, HEAD' });
    const path = request.url!.split('?')[0]!;
    if (path === '/api/node') return this.#sendSnapshot(request, response);
    if (path === '/api/events') return this.#stream(request, response);
    const file = this.#files.get(path);
    if (file === undefined) return plain(response, 404, 'There is nothing here: the page is at /');
    return sendFile(file, request, response);
  }

  async #sendSnapshot(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(this.#snapshot())}\n`);
    const zip = text.length > WORTH_COMPRESSING && accepts(request, 'gzip');
    const body = zip ? await promisify(gzip)(text) : text;
    response.writeHead(200, {
      ...HEADERS,
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      vary: 'accept-encoding',
      'content-length': body.length,
      ...(zip ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const head = { ...HEADERS, 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
    if (request.method === 'HEAD') return void response.writeHead(200, head).end();
    if (this.#feed.full) return plain(response, 503, 'Too many watch already', { 'retry-after': '10' });
    response.writeHead(200, head);
    this.#feed.watch(response);
  }
}

function sendFile(file: WebFile, request: IncomingMessage, response: ServerResponse): void {
  const shared = { ...HEADERS, etag: file.etag, 'cache-control': 'no-cache', vary: 'accept-encoding' };
  const known = (request.headers['if-none-match'] ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''));
  if (known.includes(file.etag)) return void response.writeHead(304, shared).end();
  const encoding = (['br', 'gzip'] as const).find((one) => accepts(request, one));
  const body = encoding === undefined ? file.plain : file[encoding];
  response.writeHead(200, {
    ...shared,
    'content-type': file.type,
    'content-length': body.length,
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Whether the client takes an encoding (RFC 9110, section 12.5.3; a weight of 0 means that it does not). */
function accepts({ headers }: IncomingMessage, encoding: string): boolean {
  return String(headers['accept-encoding'] ?? '')
    .toLowerCase()
    .split(',')
    .map((part) => part.trim().split(/\s*;\s*q=/))
    .some(([name, weight = '1']) => name === encoding && Number(weight) > 0);
}

function plain(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8', ...headers });
  response.end(`${text}\n`);
}
