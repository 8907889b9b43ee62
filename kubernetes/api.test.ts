import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { Fault } from '../ground/fault.ts';
import { apiServer, type Api } from './api.ts';
import { textOf } from './lines.ts';
import { Refusal, refuse } from './refusal.ts';

describe('requests to an API server', () => {
  let server: Server;
  let api: Api;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const NEVER = new AbortController().signal;

  beforeEach(async () => {
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    api = apiServer(() =>
      Promise.resolve({
        server: `http://127.0.0.1:${port}/below/`,
        tls: {},
        headers: { authorization: 'Bearer t' },
      }),
    );
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  it('carry method, query, kind of body and login', async () => {
    let seen: unknown;
    answer = (request, response) => {
      const { method, url, headers } = request;
      void text(request).then((body) => {
        seen = [method, url, headers['content-type'], headers.authorization, headers['user-agent'], body];
        response.writeHead(201).end('{}');
      });
    };
    const { status, body } = await api(
      {
        method: 'PATCH',
        path: '/api/v1/nodes/x',
        query: { force: 'true' },
        body: { a: 'é' },
        contentType: 'application/merge-patch+json',
      },
      NEVER,
    );
    assert.equal(status, 201);
    assert.equal(await textOf(body), '{}');
    assert.deepEqual(seen, [
      'PATCH',
      '/below/api/v1/nodes/x?force=true',
      'application/merge-patch+json',
      'Bearer t',
      'berth',
      '{"a":"é"}',
    ]);
  });

  it('take compressed answers, but for watches', async () => {
    answer = (request, response) => {
      if (request.headers['accept-encoding'] !== 'gzip') response.end('plain');
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(100_000)));
    };
    const list = await api({ path: '/x' }, NEVER);
    assert.equal((await textOf(list.body)).length, 100_000);
    const watch = await api({ path: '/x', query: { watch: '1' } }, NEVER);
    assert.equal(await textOf(watch.body), 'plain');
  });

  for (const packed of [false, true])
    it(`say that a connection broke off${packed ? ', in a compressed answer' : ''}`, async () => {
      answer = (_request, response) => {
        const bytes = packed ? gzipSync(Buffer.alloc(10_000, 'y')) : Buffer.from('half');
        response.writeHead(200, {
          'content-length': '100000',
          ...(packed ? { 'content-encoding': 'gzip' } : {}),
        });
        response.write(bytes.subarray(0, bytes.length - 8), () => response.socket!.destroy());
      };
      const { body } = await api({ path: '/x' }, NEVER);
      await assert.rejects(
        textOf(body),
        (error) => error instanceof Fault && /connection to the API server broke off/.test(error.message),
      );
    });

  it('end with their signal, before the answer and in it', async () => {
    const reason = new Error('enough');
    let stop = new AbortController();
    answer = () => stop.abort(reason);
    await assert.rejects(api({ path: '/x' }, stop.signal), reason);
    stop = new AbortController();
    answer = (_request, response) => response.write('a');
    const { body } = await api({ path: '/x' }, stop.signal);
    await assert.rejects(async () => {
      for await (const _chunk of body) stop.abort(reason);
    }, reason);
    await assert.rejects(api({ path: '/x' }, AbortSignal.abort(reason)), reason);
  });

  it('leave their connection when an answer is not read to its end', async () => {
    const left = new Promise((resolve) => {
      answer = (_request, response) => {
        response.on('close', resolve);
        response.write('a');
      };
    });
    const { body } = await api({ path: '/x' }, NEVER);
    for await (const _chunk of body) break;
    await left;
  });

  it('tell what the server refuses, and for how long', async () => {
    answer = (_request, response) =>
      response.writeHead(429, { 'retry-after': '7' }).end('{"kind":"Status","message":"slow down"}');
    const refused = await refuse(await api({ path: '/x' }, NEVER)).catch((error: unknown) => error);
    assert.ok(refused instanceof Refusal);
    assert.equal(refused.status, 429);
    assert.equal(refused.retryAfterMs, 7000);
    assert.match(refused.message, /refuses \(429\): slow down$/);
    answer = (_request, response) => response.writeHead(403).end('<html>no</html>');
    const right = 'it needs the right to do that';
    await assert.rejects(refuse(await api({ path: '/x' }, NEVER), right), /403\): <html>no.*needs the right/);
  });

  it('say why nobody answers', async () => {
    const nobody = apiServer(() => Promise.resolve({ server: 'https://127.0.0.1:1', tls: {}, headers: {} }));
    await assert.rejects(
      nobody({ path: '/x' }, NEVER),
      /^Fault: The API server https:\/\/127\.0\.0\.1:1 does not answer: connect ECONNREFUSED/,
    );
  });
});
