import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Images, PullAuth } from '../../image/images.ts';
import { buildImage } from '../image-builder.ts';
import { ImageStore } from '../image-store.ts';
import {
  resetAfter,
  stallAfter,
  startScriptedRegistry,
  type Script,
  type ScriptedRegistry,
} from '../scripted-registry.ts';

const NO_AUTH: PullAuth = {
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

/** Several hosts of one registry, each of which has its own way to misbehave. */
describe('mirrors, tokens and redirects', () => {
  const store = ImageStore.use();
  const noise = randomBytes(3_000_000);
  const image = buildImage({ layers: [{ files: [{ path: 'noise', content: noise }], compression: 'none' }] });
  const layer = image.blobs[1]!;
  const running: ScriptedRegistry[] = [];
  afterEach(async () => {
    for (const registry of running.splice(0)) await registry.stop();
  });

  async function serve(script?: Script): Promise<ScriptedRegistry> {
    const registry = await startScriptedRegistry({ 'x:1': image }, script);
    running.push(registry);
    return registry;
  }

  /** `reg.example` with these mirrors and this server. */
  function configure(server: ScriptedRegistry, mirrors: string[], host = 'reg.example'): void {
    mkdirSync(store.path('certs.d', host), { recursive: true });
    const toml = [`server = "http://${server.address}"`, ...mirrors.map((url) => `[host."http://${url}"]`)];
    writeFileSync(store.path('certs.d', host, 'hosts.toml'), `${toml.join('\n')}\n`);
  }

  const pull = (options: Parameters<Images['pull']>[1] = {}): Promise<{ id: string }> =>
    store.images.pull('reg.example/x:1', options);
  const isLayer = (request: IncomingMessage): boolean => request.url?.includes(layer.digest) === true;
  const answer = (response: ServerResponse, status: number, headers: Record<string, string> = {}): true =>
    Boolean(response.writeHead(status, headers).end()) as true;

  function isWhole(): void {
    const [directory] = readdirSync(store.path('layers'));
    const bytes = readFileSync(store.path('layers', directory!, 'noise'));
    assert.equal(
      createHash('sha256').update(bytes).digest('hex'),
      createHash('sha256').update(noise).digest('hex'),
    );
  }

  const broken: [string, Script][] = [
    ['says 503', (_request, response) => answer(response, 503, { 'retry-after': '3600' })],
    ['says 429', (_request, response) => answer(response, 429, { 'retry-after': '3600' })],
    ['does not have it', (_request, response) => answer(response, 404)],
    ['refuses', (_request, response) => answer(response, 403)],
    ['redirects in a circle', (request, response) => answer(response, 302, { location: request.url! })],
    ['redirects to nowhere', (_request, response) => answer(response, 302, { location: 'ftp://x/' })],
    ['breaks off', (request) => Boolean(request.socket.resetAndDestroy())],
    ['stalls', (request, response) => isLayer(request) && stallAfter(layer, 1_000_000, request, response)],
    [
      'breaks off at 90 % again and again',
      (request, response) => isLayer(request) && resetAfter(layer, 50_000, request, response),
    ],
    [
      'lies about the length',
      (request, response) => isLayer(request) && Boolean(response.end(layer.bytes.subarray(0, 1000))),
    ],
    [
      'lies about the content',
      (request, response) => isLayer(request) && Boolean(response.end(Buffer.alloc(layer.bytes.length, 'x'))),
    ],
    [
      'lies about the configuration',
      (request, response) =>
        request.url!.includes(image.blobs[0]!.digest) &&
        Boolean(response.end('x'.repeat(image.blobs[0]!.bytes.length))),
    ],
  ];
  for (const [what, script] of broken) {
    it(`goes on to the registry when the mirror ${what}`, async () => {
      const [mirror, server] = [await serve(script), await serve()];
      configure(server, [`${mirror.address}`]);
      const begun = performance.now();
      assert.equal((await pull()).id, image.imageIds[0]);
      isWhole();
      assert.ok(mirror.requests.length > 0);
      assert.ok(performance.now() - begun < 10_000);
    });
  }

  it('asks a mirror that is down once in a pull', async () => {
    const [mirror, server] = [await serve((_request, response) => answer(response, 500)), await serve()];
    configure(server, [mirror.address]);
    await pull();
    assert.deepEqual(mirror.requests, ['GET /v2/x/manifests/1?ns=reg.example']);
  });

  it('waits for the only host that may still come back', async () => {
    const mirror = await serve((_request, response) => answer(response, 404));
    const server = await serve((_request, response, nth) => nth <= 2 && answer(response, 502));
    configure(server, [mirror.address]);
    await pull();
    isWhole();
  });

  it('says what the registry said when nobody has it', async () => {
    const [mirror, server] = [
      await serve((_request, response) => answer(response, 404)),
      await serve((_request, response) => answer(response, 403)),
    ];
    configure(server, [mirror.address]);
    await store.refuses(pull(), 'permission', /403/);
    configure(mirror, []);
    await store.refuses(pull(), 'not-found', /does not have/);
  });

  it('reads hosts.toml at each pull', async () => {
    const [one, two] = [await serve(), await serve()];
    configure(one, []);
    await pull();
    await store.images.remove('reg.example/x:1');
    await store.layersGone();
    configure(two, []);
    await pull();
    assert.ok(one.requests.length === two.requests.length && two.requests.length === 3);
  });

  it('asks hosts for what they are able to, at their own paths, with their headers', async () => {
    const seen: (string | undefined)[] = [];
    const storage = await serve((request) => {
      assert.deepEqual([request.headers['x-mirror'], request.headers.authorization], [undefined, undefined]);
      return false;
    });
    const mirror = await serve((request, response) => {
      seen.push(request.headers['x-mirror'] as string | undefined);
      if (!isLayer(request)) {
        request.url = request.url!.replace('/own/api/', '/v2/');
        return false;
      }
      return answer(response, 307, { location: `http://${storage.address}/v2/x/blobs/${layer.digest}` });
    });
    const server = await serve();
    mkdirSync(store.path('certs.d/_default'), { recursive: true });
    writeFileSync(
      store.path('certs.d/_default/hosts.toml'),
      `server = "http://${server.address}"
[host."http://${mirror.address}/own/api"]
capabilities = ["pull"]
override_path = true
[host."http://${mirror.address}/own/api".header]
x-mirror = "yes"
`,
    );
    await pull();
    isWhole();
    assert.deepEqual(server.requests, ['GET /v2/x/manifests/1']);
    assert.deepEqual(
      mirror.requests.map((line) => line.replace(/sha256:\w+/, '…')),
      ['GET /own/api/x/blobs/…?ns=reg.example', 'GET /own/api/x/blobs/…?ns=reg.example'],
    );
    assert.deepEqual(seen, ['yes', 'yes']);
    assert.equal(storage.requests.length, 1);
  });

  it('downloads once for callers with different credentials and different names', async () => {
    const server = await startScriptedRegistry({ 'x:1': image, 'x:2': image, 'y:1': image });
    running.push(server);
    configure(server, []);
    const pulls = ['x:1', 'x:1', 'x:2', 'y:1', `x@${image.top.digest}`].map((name, i) =>
      store.images.pull(`reg.example/${name}`, {
        auth: { ...NO_AUTH, username: `user-${i}`, password: 's3cret' },
      }),
    );
    const ids = (await Promise.all(pulls)).map(({ id }) => id);
    assert.deepEqual(new Set(ids), new Set([image.imageIds[0]]));
    assert.equal(server.requests.filter((line) => line.includes(layer.digest)).length, 1);
    const [only, ...more] = store.images.list();
    assert.deepEqual(
      [more, only!.repoTags.toSorted()],
      [[], ['x:1', 'x:2', 'y:1'].map((one) => `reg.example/${one}`)],
    );
    assert.equal(only!.repoDigests.length, 2);
  });

  it('goes on without ranges where they are refused', async () => {
    const server = await serve((request, response, nth) => {
      if (!isLayer(request)) return false;
      if (request.headers.range !== undefined) return answer(response, 416);
      return nth === 1 && resetAfter(layer, 2_000_000, request, response);
    });
    configure(server, []);
    await pull();
    isWhole();
  });

  it('takes no part for another one', async () => {
    const server = await serve((request, response, nth) => {
      if (!isLayer(request)) return false;
      if (nth === 1) return resetAfter(layer, 2_000_000, request, response);
      if (nth > 2) return false;
      const from = 2_500_000;
      const size = layer.bytes.length;
      response.writeHead(206, { 'content-range': `bytes ${from}-${size - 1}/${size}` });
      return Boolean(response.end(layer.bytes.subarray(from)));
    });
    configure(server, []);
    await pull();
    isWhole();
  });

  describe('tokens', () => {
    let asked: string[];
    let issued: number;
    /** Wants a token, which `grant` gives or refuses. */
    const guarded =
      (
        grant: (request: IncomingMessage, body: string) => Record<string, unknown> | number,
        valid: (token: string) => boolean = () => true,
      ): Script =>
      (request, response) => {
        const { url = '', headers } = request;
        if (url.startsWith('/token')) {
          let body = '';
          request.setEncoding('utf8').on('data', (part: string) => (body += part));
          request.on('end', () => {
            asked.push(`${request.method} ${url} ${body}`);
            const granted = grant(request, body);
            if (typeof granted === 'number') response.writeHead(granted, { 'retry-after': '0' }).end();
            else response.end(JSON.stringify(granted));
          });
          return true;
        }
        const token = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
        if (token !== undefined && valid(token)) return false;
        const challenge = `Bearer realm="http://${headers.host}/token",service="s",scope="repository:x:pull"`;
        return answer(response, 401, { 'www-authenticate': challenge });
      };
    beforeEach(() => {
      asked = [];
      issued = 0;
    });
    const again = async (auth?: PullAuth): Promise<void> => {
      await pull(auth === undefined ? {} : { auth });
      await store.images.remove('reg.example/x:1');
      await store.layersGone();
    };

    it('live from pull to pull, each for its own credentials', async () => {
      const server = await serve(guarded(() => ({ token: `tok-${++issued}`, expires_in: 300 })));
      configure(server, []);
      await again();
      const before = server.requests.length;
      await again();
      assert.equal(asked.length, 1);
      assert.equal(server.requests.length - before, 3);
      await again({ ...NO_AUTH, username: 'user', password: 's3cret' });
      assert.equal(asked.length, 2);
    });

    it('are asked for anew when they have run out, or are refused', async () => {
      let revoked = '';
      const server = await serve(
        guarded(
          () => ({ access_token: `tok-${++issued}`, expires_in: 0.01 }),
          (token) => token !== revoked,
        ),
      );
      configure(server, []);
      await again();
      await again();
      assert.ok(asked.length >= 2);
      const { length } = asked;
      revoked = `tok-${issued}`;
      await again();
      assert.ok(asked.length > length);
    });

    it('are given for an identity token by POST', async () => {
      const server = await serve(
        guarded((_request, body) => {
          const form = new URLSearchParams(body);
          const right =
            form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === 's3cret-id';
          return right && form.get('scope') === 'repository:x:pull' ? { access_token: 'tok-a' } : 401;
        }),
      );
      configure(server, []);
      await again({ ...NO_AUTH, identityToken: 's3cret-id' });
      assert.match(asked[0]!, /^POST \/token grant_type=refresh_token&/);
      await store.refuses(
        pull({ auth: { ...NO_AUTH, identityToken: 's3cret-other' } }),
        'permission',
        /token server.*refuses/,
      );
    });

    it('that the caller brings are shown as they are', async () => {
      const server = await serve(
        guarded(
          () => 500,
          (token) => token === 's3cret-reg',
        ),
      );
      configure(server, []);
      await again({ ...NO_AUTH, registryToken: 's3cret-reg' });
      await store.refuses(pull({ auth: { ...NO_AUTH, registryToken: 's3cret-no' } }), 'permission', /401/);
      assert.deepEqual(asked, []);
    });

    it('are waited for while their server is busy', async () => {
      const server = await serve(guarded(() => (asked.length <= 2 ? 503 : { token: 'tok-late' })));
      configure(server, []);
      await again();
      assert.equal(asked.length, 3);
    });

    it('that are none are refused', async () => {
      for (const granted of [{}, { token: 1 }, { token: 'tok-x\r\nevil: 1' }]) {
        configure(await serve(guarded(() => granted)), []);
        await store.refuses(pull(), 'unavailable', /gives no token/);
      }
    });
  });
});
