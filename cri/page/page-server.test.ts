import assert from 'node:assert/strict';
import { get, request, type IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { busyNode } from '../../test/fakes/busy-node.ts';
import { serveMetrics, type MetricsServer } from '../metrics-server.ts';
import { Metrics } from '../metrics.ts';
import { MAX_WATCHERS } from './feed.ts';
import { lazyPage } from './lazy-page.ts';
import type { NodeSnapshot } from './parts.ts';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

describe('the server of the page', () => {
  const metrics = new Metrics('1.2.3');
  let server: MetricsServer;

  before(async () => {
    const { rooms, recent } = await busyNode({ pods: 20, containers: 50 });
    server = await serveMetrics(metrics, '127.0.0.1:0', { others: lazyPage(rooms, recent) });
  });
  after(async () => {
    metrics.close();
    await server.close();
  });

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: server.port, path, method, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
        );
      })
        .on('error', reject)
        .end();
    });

  it('gives the page and all that it refers to, each with its type', async () => {
    const { status, headers, body } = await ask('/');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    const seen = new Set<string>();
    const visit = async (text: string, base: string): Promise<void> => {
      for (const [, path] of text
        .matchAll(/(?:href|src)="(\/[\w.]+)"|from '\.(\/[\w.]+)'/g)
        .map((m) => [m[0], m[1] ?? m[2]]))
        if (!seen.has(path!) && path !== '/metrics') {
          seen.add(path!);
          const file = await ask(path!);
          assert.equal(file.status, 200, `${base} refers to ${path}`);
          await visit(file.body.toString(), path!);
        }
    };
    await visit(body.toString(), '/');
    assert.ok(
      seen.has('/page.css') && seen.has('/main.js') && seen.has('/words.js') && seen.has('/icon.svg'),
    );
    assert.equal((await ask('/main.js')).headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal((await ask('/page.css')).headers['content-type'], 'text/css; charset=utf-8');
  });

  it('lets no page run what is not its own, and holds nothing inline', async () => {
    const { headers, body } = await ask('/');
    const policy = headers['content-security-policy'];
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ])
      assert.ok(policy?.includes(part), part);
    assert.doesNotMatch(String(policy), /unsafe|https?:|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.doesNotMatch(body.toString(), /<style|\sstyle=|\son\w+=|<script(?![^>]*src=)|https?:\/\//);
  });

  it('compresses, and sends what is known already only by its tag', async () => {
    const plain = await ask('/page.css');
    const br = await ask('/page.css', { 'accept-encoding': 'gzip, br' });
    const zipped = await ask('/page.css', { 'accept-encoding': 'br;q=0, gzip' });
    assert.deepEqual([br.headers['content-encoding'], zipped.headers['content-encoding']], ['br', 'gzip']);
    assert.deepEqual(brotliDecompressSync(br.body), plain.body);
    assert.deepEqual(gunzipSync(zipped.body), plain.body);
    assert.ok(br.body.length < plain.body.length / 2);
    const { etag } = plain.headers;
    const again = await ask('/page.css', { 'if-none-match': `"x", ${etag}` });
    assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, etag]);
    assert.equal((await ask('/page.css', { 'if-none-match': '"other"' })).status, 200);
  });

  it('gives the snapshot as JSON, plain and compressed', async () => {
    const { status, headers, body } = await ask('/api/node');
    assert.deepEqual([status, headers['content-type']], [200, 'application/json; charset=utf-8']);
    assert.equal(headers['cache-control'], 'no-store');
    const snapshot = JSON.parse(body.toString()) as NodeSnapshot;
    assert.equal(snapshot.pods.length, 20);
    const zipped = await ask('/api/node', { 'accept-encoding': 'gzip' });
    assert.equal((JSON.parse(gunzipSync(zipped.body).toString()) as NodeSnapshot).pods.length, 20);
  });

  it('answers GET and HEAD alone', async () => {
    for (const path of ['/', '/api/node', '/api/events', '/page.css']) {
      const head = await ask(path, {}, 'HEAD');
      assert.deepEqual([head.status, head.body.length], [200, 0], path);
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const { status, headers } = await ask(path, {}, method);
        assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'], `${method} ${path}`);
      }
    }
    assert.equal((await ask('/web/../page-server.ts')).status, 404);
    assert.equal((await ask('/nothing')).status, 404);
  });

  it('refuses names that are not its own, for the page and not for the metrics', async () => {
    for (const path of ['/', '/api/node', '/api/events', '/nothing'])
      assert.equal((await ask(path, { host: 'evil.example' })).status, 403, path);
    assert.equal((await ask('/', { host: `localhost:${server.port}` })).status, 200);
    assert.equal((await ask('/metrics', { host: 'node-7.example' })).status, 200);
  });

  it('takes only so many watchers', async () => {
    const open = (): Promise<{ status: number; leave: () => void }> =>
      new Promise((resolve) => {
        const stream = get({ host: '127.0.0.1', port: server.port, path: '/api/events' }, (response) =>
          resolve({ status: response.statusCode!, leave: () => stream.destroy() }),
        );
        stream.on('error', () => {});
      });
    const streams = [];
    for (let nth = 0; nth <= MAX_WATCHERS; nth++) streams.push(await open());
    assert.deepEqual(
      streams.map(({ status }) => status),
      [...Array.from({ length: MAX_WATCHERS }, () => 200), 503],
    );
    for (const { leave } of streams) leave();
  });
});
