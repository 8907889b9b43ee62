import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { Images, PullAuth } from '../../image/images.ts';
import { buildImage, sha256, type BuiltImage, type ImageBuild } from '../image-builder.ts';
import { ImageStore, QUICK, until } from '../image-store.ts';
import { resetAfter, stallAfter, startScriptedRegistry, type Script } from '../scripted-registry.ts';

const AUTH: PullAuth = {
  username: 'user',
  password: 's3cret-password',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

describe('images from a registry that misbehaves', () => {
  const store = ImageStore.use();
  const noise = randomBytes(3_000_000);
  const build: ImageBuild = {
    layers: [{ files: [{ path: 'noise', content: noise }], compression: 'none' }],
  };
  const image = buildImage(build);
  const layer = image.blobs[1]!;
  const blobPath = `/v2/x/blobs/${layer.digest}`;
  const isLayer: (url: string | undefined) => boolean = (url) => url === blobPath;

  async function scripted<T>(
    script: Script,
    work: (
      pull: (options?: Parameters<Images['pull']>[1]) => Promise<unknown>,
      requests: string[],
      address: string,
    ) => Promise<T>,
    built: BuiltImage = image,
  ): Promise<T> {
    const registry = await startScriptedRegistry({ 'x:1': built }, script);
    try {
      return await work(
        (options = {}) => store.images.pull(`${registry.address}/x:1`, options),
        registry.requests,
        registry.address,
      );
    } finally {
      await registry.stop();
    }
  }

  async function isCancelled(work: Promise<unknown>): Promise<void> {
    await assert.rejects(work, (error) => error instanceof Fault && error.kind === 'cancelled');
  }

  function isWhole(): void {
    const [directory] = fs.readdirSync(store.path('layers'));
    const bytes = fs.readFileSync(store.path('layers', directory!, 'noise'));
    assert.equal(
      createHash('sha256').update(bytes).digest('hex'),
      createHash('sha256').update(noise).digest('hex'),
    );
  }

  it('goes on where a reset broke a transfer', () =>
    scripted(
      (request, response, nth) =>
        isLayer(request.url) &&
        nth <= 5 &&
        resetAfter(layer, nth === 1 ? 2_000_000 : 150_000, request, response),
      async (pull, requests) => {
        await store.reopen({ transfer: { ...QUICK, tries: 10 } });
        await pull();
        assert.deepEqual(
          requests.filter((line) => line.includes(blobPath)).slice(1),
          Array(5).fill(`GET ${blobPath} Range`),
        );
        isWhole();
      },
    ));

  it('goes on after a stall', () =>
    scripted(
      (request, response, nth) =>
        isLayer(request.url) && nth === 1 && stallAfter(layer, 1_500_000, request, response),
      async (pull) => {
        await pull();
        isWhole();
      },
    ));

  it('gives up on one that never gets further, in bounded time', () =>
    scripted(
      (request, response) => isLayer(request.url) && stallAfter(layer, 1000, request, response),
      async (pull, requests) => {
        await store.refuses(pull(), 'unavailable', /fetch: RegistryUnavailable.*no data within 300 ms/);
        assert.equal(requests.filter((line) => line.includes(blobPath)).length, QUICK.tries);
        assert.equal(store.onDisk().layers, 0);
      },
    ));

  it('does not take a trickle for progress', () =>
    scripted(
      (request, response) => {
        if (!isLayer(request.url)) return false;
        response.writeHead(200, { 'content-length': layer.bytes.length });
        const timer = setInterval(() => response.write('x'), 50);
        response.on('close', () => clearInterval(timer));
        return true;
      },
      async (pull) => {
        await store.reopen({ transfer: { ...QUICK, floorWindow: 400, floorBytes: 10_000 } });
        await store.refuses(pull(), 'unavailable', /only \d+ bytes in/);
      },
    ));

  it('takes no content that is not what its digest says', async () => {
    const wrong = Buffer.from(layer.bytes);
    wrong[1_000_000]! ^= 1;
    await scripted(
      (request, response) => isLayer(request.url) && Boolean(response.end(wrong)),
      (pull) => store.refuses(pull(), 'data-loss', new RegExp(layer.digest)),
    );
    await scripted(
      (request, response) => isLayer(request.url) && Boolean(response.end('<html>no</html>'.repeat(200_000))),
      (pull) => store.refuses(pull(), 'data-loss', /has 3000000 bytes, expected/),
    );
    const config = image.blobs[0]!;
    await scripted(
      (request, response) =>
        request.url === `/v2/x/blobs/${config.digest}` &&
        Boolean(response.end('x'.repeat(config.bytes.length))),
      (pull) => store.refuses(pull(), 'data-loss', /image configuration/),
    );
    assert.equal(store.onDisk().layers, 0);
  });

  it('refuses a layer whose content is not what the configuration says', async () => {
    const other = buildImage({ layers: [{ files: [{ path: 'other', content: 'o' }] }] });
    const manifest = JSON.parse(image.top.bytes.toString()) as { layers: unknown[] };
    manifest.layers = (JSON.parse(other.top.bytes.toString()) as typeof manifest).layers;
    const bytes = Buffer.from(JSON.stringify(manifest));
    const top = { ...image.top, bytes, digest: sha256(bytes) };
    const mixed = { ...image, top, manifests: [top], blobs: [image.blobs[0]!, other.blobs[1]!] };
    await scripted(
      () => false,
      (pull) => store.refuses(pull(), 'data-loss', /content of a layer/),
      mixed,
    );
  });

  it('refuses documents beyond their bounds, and layers that reach outside', async () => {
    const large = buildImage({ layers: [], config: { Env: ['x'.repeat(9 * 1024 * 1024)] } });
    await scripted(
      () => false,
      (pull) => store.refuses(pull(), 'invalid', /image configuration has \d+ bytes/),
      large,
    );
    await scripted(
      (_request, response) => Boolean(response.end(' '.repeat(5 * 1024 * 1024))),
      (pull) => store.refuses(pull(), 'invalid', /manifest is larger|sent more/),
    );
    const hostile = buildImage({ layers: [{ files: [{ path: '../escaped', content: 'x' }] }] });
    await scripted(
      () => false,
      (pull) => store.refuses(pull(), 'invalid', /"\.\.\/escaped"/),
      hostile,
    );
    assert.ok(!fs.existsSync(store.path('ingest/escaped')) && !fs.existsSync(store.path('escaped')));
    await store.reopen({ maxImageBytes: 1_000_000 });
    await scripted(
      () => false,
      (pull) => store.refuses(pull(), 'exhausted', /more than 1000000 bytes/),
    );
  });

  it('waits as a busy registry asks', () =>
    scripted(
      (request, response, nth) => {
        if (!isLayer(request.url) || nth > 2) return false;
        response.writeHead(nth === 1 ? 429 : 503, nth === 1 ? { 'retry-after': '1' } : {}).end();
        return true;
      },
      async (pull) => {
        await store.reopen({ transfer: { ...QUICK, maxBackoff: 5000 } });
        const begun = performance.now();
        await pull();
        assert.ok(performance.now() - begun >= 1000);
      },
    ));

  it('downloads once for five who pull at once', () =>
    scripted(
      () => false,
      async (pull, requests, address) => {
        const results = await Promise.all(Array.from({ length: 5 }, () => pull()));
        assert.equal(new Set(results).size, 1);
        assert.equal(requests.filter((line) => line === `GET ${blobPath}`).length, 1);
        assert.equal(requests.filter((line) => line.includes('/manifests/')).length, 1);
        await store.images.pull(`${address}/x@${image.top.digest}`, {});
        assert.equal(requests.filter((line) => line.includes('/blobs/')).length, 2);
      },
    ));

  it('ends a pull with its last caller, not before', () =>
    scripted(
      (request, response, nth) =>
        isLayer(request.url) && nth === 1 && stallAfter(layer, 2_000_000, request, response),
      async (pull, requests) => {
        await store.reopen({ transfer: { ...QUICK, stallTimeout: 1000 } });
        const [first, second] = [new AbortController(), new AbortController()];
        const leaving = pull({ signal: first.signal });
        const staying = pull({ signal: second.signal });
        await until('the transfer to stall', () => requests.some((line) => line.includes(blobPath)));
        first.abort();
        await isCancelled(leaving);
        await staying;
        isWhole();
      },
    ));

  it('stops when everybody has left', () =>
    scripted(
      (request, response) => isLayer(request.url) && stallAfter(layer, 2_000_000, request, response),
      async (pull, requests) => {
        const leave = new AbortController();
        const pulls = [pull({ signal: leave.signal }), pull({ signal: leave.signal })];
        await until('the transfer to stall', () => requests.some((line) => line.includes(blobPath)));
        leave.abort();
        for (const each of pulls) await isCancelled(each);
        await until('the directory to go', () => store.onDisk().ingest === 0);
        assert.equal(store.onDisk().layers, 0);
      },
    ));

  it('sweeps what a dead daemon left', async () => {
    await store.images.close();
    for (const path of ['ingest/7/half', 'layers/zz/unrecorded', 'snapshots/lost/fs']) {
      fs.mkdirSync(store.path(path), { recursive: true });
    }
    store.images = await store.open();
    assert.deepEqual(store.onDisk(), { layers: 0, ingest: 0 });
    assert.deepEqual([fs.readdirSync(store.path('snapshots')), store.images.snapshots.list()], [[], []]);
    await until('the trash to be emptied', () => fs.readdirSync(store.path('trash')).length === 0);
  });

  describe('with authentication', () => {
    const basic = `Basic ${Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64')}`;
    let tokens = 0;
    /** Wants a token that its own /token gives to who shows the password; `lives` requests each. */
    const wantsToken = (lives = Infinity): Script => {
      let current = '';
      let used = 0;
      return (request, response) => {
        const { url, headers } = request;
        if (url!.startsWith('/token')) {
          assert.match(url!, /service=s%26t&scope=repository%3Ax%3Apull/);
          if (headers.authorization !== basic) return Boolean(response.writeHead(401).end());
          used = 0;
          current = `tok-${++tokens}`;
          return Boolean(response.end(JSON.stringify({ token: current })));
        }
        if (headers.authorization === `Bearer ${current}` && used++ < lives) return false;
        const challenge = `Bearer realm="http://${headers.host}/token",service="s&t",scope="repository:x:pull"`;
        return Boolean(response.writeHead(401, { 'www-authenticate': challenge }).end());
      };
    };

    it('gets a token, once', () =>
      scripted(wantsToken(), async (pull, requests) => {
        await pull({ auth: AUTH });
        assert.equal(requests.filter((line) => line.startsWith('GET /token')).length, 1);
      }));

    it('gets another when it expires', () =>
      scripted(wantsToken(1), async (pull) => {
        await pull({ auth: AUTH });
        isWhole();
      }));

    it('is refused with a wrong password, and says nothing of it', () =>
      scripted(wantsToken(), async (pull) => {
        await store.refuses(
          pull({ auth: { ...AUTH, password: 's3cret-wrong' } }),
          'permission',
          /token server.*refuses/,
        );
        await store.refuses(pull(), 'permission', /refuses/);
      }));

    it('shows the password to the registry alone', () =>
      scripted(
        (request, response) => {
          if (request.headers.authorization === basic) return false;
          return Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
        },
        async (pull) => {
          await pull({ auth: AUTH });
          await store.images.remove(image.imageIds[0]!);
          await store.refuses(pull(), 'permission', /refuses access.*401/);
          await store.refuses(
            pull({ auth: { ...AUTH, serverAddress: 'elsewhere.example' } }),
            'permission',
            /401/,
          );
        },
      ));

    it('does not take credentials along to another host', async () => {
      const seen: (string | undefined)[] = [];
      const storage = await startScriptedRegistry({ 'x:1': image }, (request) => {
        seen.push(request.headers.authorization);
        return false;
      });
      try {
        await scripted(
          (request, response) => {
            if (request.headers.authorization !== basic) {
              return Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
            }
            if (!isLayer(request.url)) return false;
            const location = `http://${storage.address}${request.url}?signature=s3cret`;
            return Boolean(response.writeHead(307, { location }).end());
          },
          (pull) => pull({ auth: AUTH }),
        );
        assert.deepEqual(seen, [undefined]);
      } finally {
        await storage.stop();
      }
    });
  });

  it('asks mirrors first and goes on to the registry', () =>
    scripted(
      () => false,
      async (_pull, requests, address) => {
        const directory = store.path('certs.d/reg.example');
        fs.mkdirSync(directory, { recursive: true });
        const toml = `server = "http://${address}"\n[host."http://127.0.0.1:1"]\n[host."http://${address}/mirror"]\ncapabilities = ["pull"]\n`;
        fs.writeFileSync(join(directory, 'hosts.toml'), toml);
        await store.images.pull('reg.example/x:1', {});
        assert.equal(requests[0], 'GET /v2/x/manifests/1');
        assert.ok(requests.includes(`GET /mirror${blobPath}?ns=reg.example`));
        assert.deepEqual(store.images.list()[0]!.repoTags, ['reg.example/x:1']);
      },
    ));
});
