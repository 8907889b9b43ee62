import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '../certificates.ts';
import { buildImage, pushBuilt } from '../image-builder.ts';
import { ImageStore } from '../image-store.ts';
import { startRegistry, type Registry } from '../registry.ts';
import { ownDirectory } from '../strays.ts';

const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/** A proxy that knows every host as 127.0.0.1, on `port`. */
async function startProxy(port: () => number): Promise<{ address: string; seen: string[]; server: Server }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? '-'}`);
    const { pathname, search, host } = new URL(request.url!);
    const onward = httpRequest({
      host: '127.0.0.1',
      port: port(),
      path: pathname + search,
      method: request.method,
      headers: { ...request.headers, host },
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? '-'}`);
    const onward = connect(port(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) end.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server };
}

describe('pulls through a proxy of the environment', () => {
  const store = ImageStore.use();
  const image = buildImage({ layers: [{ files: [{ path: 'a', content: 'a' }] }] });
  const before_ = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  let directory: string;
  let authority: Authority;
  let plain: Registry;
  let secure: Registry;
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  let target: Registry;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-proxy-'));
    ownDirectory(directory);
    mkdirSync(join(directory, 'store'));
    authority = new Authority(directory);
    const shared = { store: join(directory, 'store') };
    plain = await startRegistry(shared);
    secure = await startRegistry({ ...shared, tls: authority.issue('reg.example') });
    await pushBuilt(plain.address, 'x:1', image);
    proxy = await startProxy(() => Number(target.address.split(':')[1]));
  });
  beforeEach(() => {
    for (const name of VARIABLES) delete process.env[name];
    proxy.seen.length = 0;
  });
  after(async () => {
    for (const [name, value] of Object.entries(before_)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    proxy.server.closeAllConnections();
    await new Promise((resolve) => proxy.server.close(resolve));
    await plain.stop();
    await secure.stop();
    rmSync(directory, { recursive: true });
  });

  function configure(scheme: string, registry: Registry): void {
    target = registry;
    mkdirSync(store.path('certs.d/reg.example'), { recursive: true });
    const toml = `server = "${scheme}://reg.example"\nca = "${authority.ca}"\n`;
    writeFileSync(store.path('certs.d/reg.example/hosts.toml'), toml);
  }

  it('by plain http', async () => {
    configure('http', plain);
    process.env['HTTP_PROXY'] = `http://user:s3cret@${proxy.address}`;
    assert.equal((await store.images.pull('reg.example/x:1', {})).id, image.imageIds[0]);
    const basic = `Basic ${Buffer.from('user:s3cret').toString('base64')}`;
    assert.equal(proxy.seen[0], `GET http://reg.example/v2/x/manifests/1 ${basic}`);
    assert.equal(proxy.seen.length, 3);
  });

  it('by CONNECT for https, and checks the registry, not the proxy', async () => {
    configure('https', secure);
    process.env['https_proxy'] = proxy.address;
    assert.equal((await store.images.pull('reg.example/x:1', {})).id, image.imageIds[0]);
    assert.equal(proxy.seen[0], 'CONNECT reg.example:443 -');
    assert.ok(proxy.seen.every((line) => line.startsWith('CONNECT')));
  });

  it('not where NO_PROXY says so, and tells no password of one that fails', async () => {
    configure('http', plain);
    process.env['HTTP_PROXY'] = `http://${proxy.address}`;
    process.env['NO_PROXY'] = '.example';
    await store.refuses(
      store.images.pull('reg.example/x:1', {}),
      'unavailable',
      /reg\.example.*ENOTFOUND|EAI_AGAIN/,
    );
    assert.deepEqual(proxy.seen, []);
    delete process.env['NO_PROXY'];
    process.env['HTTP_PROXY'] = 'http://user:s3cret@127.0.0.1:1';
    await store.refuses(store.images.pull('reg.example/x:1', {}), 'unavailable', /ECONNREFUSED/);
    configure('https', secure);
    process.env['HTTPS_PROXY'] = 'http://user:s3cret@127.0.0.1:1';
    await store.refuses(store.images.pull('reg.example/x:1', {}), 'unavailable', /ECONNREFUSED/);
    process.env['HTTPS_PROXY'] = `http://user:s3cret@${plain.address}`;
    await store.refuses(store.images.pull('reg.example/x:1', {}), 'unavailable', /RegistryUnavailable/);
    process.env['HTTPS_PROXY'] = 'nonsense://user:s3cret@x';
    await store.refuses(store.images.pull('reg.example/x:1', {}), 'precondition', /proxy/);
  });
});
