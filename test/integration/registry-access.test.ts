import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PullAuth } from '../../image/images.ts';
import { Authority, type Certificate } from '../certificates.ts';
import { pushImage, type BuiltImage } from '../image-builder.ts';
import { ImageStore } from '../image-store.ts';
import { htpasswdLine, startRegistry, type Registry, type RegistryOptions } from '../registry.ts';
import { ownDirectory } from '../strays.ts';

const AUTH: PullAuth = {
  username: 'user',
  password: 's3cret-password',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

/** Debian's docker-registry behind TLS and passwords; every test has a fresh image store. */
describe('access to registries', () => {
  const store = ImageStore.use();
  const running: Registry[] = [];
  let directory: string;
  let authority: Authority;
  let server: Certificate;
  let client: Certificate;
  let built: BuiltImage;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-access-'));
    ownDirectory(directory);
    mkdirSync(join(directory, 'store'));
    writeFileSync(join(directory, 'htpasswd'), htpasswdLine(AUTH.username, AUTH.password));
    authority = new Authority(directory);
    server = authority.issue('server', ['IP:127.0.0.1']);
    client = authority.issue('client');
    const plain = await start({});
    built = await pushImage(plain.address, 'x:1', { layers: [{ files: [{ path: 'a', content: 'a' }] }] });
  });
  afterEach(async () => {
    for (const registry of running.splice(0)) await registry.stop();
  });
  after(() => rmSync(directory, { recursive: true }));

  async function start(options: RegistryOptions): Promise<Registry> {
    const registry = await startRegistry({ store: join(directory, 'store'), ...options });
    running.push(registry);
    return registry;
  }

  /** `reg.example` is `address`, with these settings. */
  function configure(address: string, settings = ''): void {
    mkdirSync(store.path('certs.d/reg.example'), { recursive: true });
    writeFileSync(
      store.path('certs.d/reg.example/hosts.toml'),
      `server = "https://${address}"\n${settings}\n`,
    );
  }

  const pull = (auth?: PullAuth): Promise<unknown> =>
    store.images.pull('reg.example/x:1', auth === undefined ? {} : { auth });

  async function pulls(auth?: PullAuth): Promise<void> {
    assert.equal(((await pull(auth)) as { id: string }).id, built.imageIds[0]);
    await store.images.remove('reg.example/x:1');
    await store.layersGone();
  }

  it('trusts the CA that hosts.toml names, which it reads at each pull', async () => {
    const { address } = await start({ tls: server });
    configure(address);
    const begun = performance.now();
    await store.refuses(
      pull(),
      'unavailable',
      /RegistryUnavailable.*(self.signed|unable to).*can be set in hosts\.toml/,
    );
    assert.ok(performance.now() - begun < 5000);
    configure(address, `ca = "${authority.ca}"`);
    await pulls();
    configure(address, 'skip_verify = true');
    await pulls();
    configure(address.replace('127.0.0.1', 'localhost'), `ca = "${authority.ca}"`);
    await store.refuses(pull(), 'unavailable', /localhost/);
    configure(address, `ca = "${directory}/absent.pem"`);
    await store.refuses(pull(), 'precondition', /absent\.pem.*cannot be read/);
    const other = await start({});
    configure(other.address);
    await store.refuses(pull(), 'unavailable', /RegistryUnavailable/);
  });

  it('shows its certificate to a registry that wants one', async () => {
    const { address } = await start({ tls: { ...server, clientCa: authority.ca } });
    const ca = `ca = "${authority.ca}"`;
    configure(address, ca);
    await store.refuses(pull(), 'unavailable', /RegistryUnavailable/);
    configure(address, `${ca}\nclient = [["${client.cert}", "${server.key}"]]`);
    await store.refuses(pull(), 'precondition', /cannot be used.*mismatch.*client\.pem.*server\.key/);
    configure(address, `${ca}\nclient = [["${client.cert}", "${client.key}"]]`);
    await pulls();
  });

  it('shows user and password, from the call', async () => {
    const { address } = await start({ tls: server, htpasswd: join(directory, 'htpasswd') });
    configure(address, `ca = "${authority.ca}"`);
    await store.refuses(pull(), 'permission', /refuses access.*401.*pull secret/);
    await store.refuses(pull({ ...AUTH, password: 's3cret-wrong' }), 'permission', /401/);
    await store.refuses(
      pull({ ...AUTH, username: '', auth: 's3cret' }),
      'invalid',
      /base64 of user:password/,
    );
    await pulls(AUTH);
    const auth = Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64');
    await pulls({ ...AUTH, username: '', password: '', auth });
  });

  it('shows the credentials of the node when the call has none', async () => {
    const { address } = await start({ tls: server, htpasswd: join(directory, 'htpasswd') });
    configure(address, `ca = "${authority.ca}"`);
    const right = Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64');
    const wrong = Buffer.from('user:s3cret-wrong').toString('base64');
    const write = (auths: Record<string, { auth: string }>): void =>
      writeFileSync(store.path('auth.json'), JSON.stringify({ auths }));
    write({ 'other.example': { auth: right } });
    await store.refuses(pull(), 'permission', /401/);
    write({ 'reg.example': { auth: wrong }, 'reg.example/x': { auth: right } });
    await pulls();
    write({ 'https://reg.example/v1/': { auth: right } });
    await pulls();
    await store.refuses(pull({ ...AUTH, password: 's3cret-wrong' }), 'permission', /401/);
    writeFileSync(store.path('auth.json'), '{"auths": {"reg.example": {"auth": "s3cret');
    await store.refuses(pull(), 'permission', /401/);
  });

  it('shows what a credential helper of the node has', async () => {
    const { address } = await start({ tls: server, htpasswd: join(directory, 'htpasswd') });
    configure(address, `ca = "${authority.ca}"`);
    const answer = JSON.stringify({ Username: AUTH.username, Secret: AUTH.password });
    writeFileSync(
      store.path('docker-credential-node'),
      `#!/bin/sh\nserver=$(cat); [ "$1 $server" = 'get reg.example' ] && echo '${answer}'\n`,
      { mode: 0o755 },
    );
    const path = process.env['PATH'];
    process.env['PATH'] = `${store.path('')}:${path}`;
    try {
      writeFileSync(store.path('auth.json'), JSON.stringify({ credHelpers: { 'reg.example': 'node' } }));
      await pulls();
      writeFileSync(store.path('auth.json'), JSON.stringify({ credHelpers: { 'other.example': 'node' } }));
      await store.refuses(pull(), 'permission', /401/);
    } finally {
      process.env['PATH'] = path;
    }
  });
});
