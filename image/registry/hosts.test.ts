import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import type { PullAuth } from '../images.ts';
import { credentialsFrom, mayReceive } from './credentials.ts';
import { parseHosts, registryHosts, serverHost } from './hosts.ts';

const bases = (text: string, registry = 'reg.example'): string[] =>
  parseHosts(text, registry, '/conf').map((host) => host.base.href);

describe('registry hosts', () => {
  it('speaks plain http to loopback, https to all others', () => {
    const base = (registry: string): string => serverHost(registry).base.href;
    assert.equal(base('docker.io'), 'https://registry-1.docker.io/v2');
    assert.equal(base('reg.example:5000'), 'https://reg.example:5000/v2');
    assert.equal(base('localhost:5000'), 'http://localhost:5000/v2');
    assert.equal(base('localhost'), 'http://localhost/v2');
    assert.equal(base('127.0.0.1:5000'), 'http://127.0.0.1:5000/v2');
    assert.equal(base('[::1]:5000'), 'http://[::1]:5000/v2');
    assert.equal(base('localhost:443'), 'https://localhost/v2');
    assert.equal(base('127.0.0.1.example'), 'https://127.0.0.1.example/v2');
  });

  it('reads mirrors in order, then the server', () => {
    const text = `server = "https://up.example"
[host."https://m1.example:8443/sub"]
capabilities = ["pull", "resolve"]
skip_verify = true
ca = "ca.pem"
client = [["cert.pem", "/abs/key.pem"]]
[host."https://m1.example:8443/sub".header]
x-token = ["a", "b"]
[host."http://m2.example/own/api"]
override_path = true
[host."m3.example"]
`;
    assert.deepEqual(bases(text), [
      'https://m1.example:8443/sub/v2',
      'http://m2.example/own/api',
      'https://m3.example/v2',
      'https://up.example/v2',
    ]);
    const [first, , , last] = parseHosts(text, 'reg.example', '/conf');
    assert.deepEqual([...first!.capabilities], ['pull', 'resolve']);
    assert.equal(first!.skipVerify, true);
    assert.deepEqual(first!.ca, ['/conf/ca.pem']);
    assert.deepEqual(first!.client, [{ cert: '/conf/cert.pem', key: '/abs/key.pem' }]);
    assert.deepEqual(first!.headers, { 'x-token': 'a, b' });
    assert.deepEqual([first!.origin, last!.origin], [false, true]);
  });

  it('falls back to the registry itself without a server', () => {
    assert.deepEqual(bases(''), ['https://reg.example/v2']);
    assert.deepEqual(bases('skip_verify = true'), ['https://reg.example/v2']);
  });

  const wrong = [
    'host = 1',
    'server = 1',
    'server = "ftp://x"',
    'server = "https://user:secret@x"',
    '[host."https://x"]\ncapabilities = ["pul"]',
    '[host."https://x"]\nca = 1',
    'no toml',
  ];
  for (const text of wrong) it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => bases(text)));

  it('finds the file by host, by host_port_ and by _default', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'berth-hosts-'));
    const put = (name: string, text: string): void => {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'hosts.toml'), text);
    };
    try {
      put('a.example', 'server = "https://a2"');
      put('b.example_5000_', 'server = "https://b2"');
      put('bad.example', 'server = [');
      const found = async (name: string): Promise<string> =>
        (await registryHosts(directory, name))[0]!.base.host;
      assert.equal(await found('a.example'), 'a2');
      assert.equal(await found('b.example:5000'), 'b2');
      assert.equal(await found('c.example'), 'c.example');
      put('_default', 'server = "https://d2"');
      assert.equal(await found('c.example'), 'd2');
      await assert.rejects(
        found('bad.example'),
        (error) =>
          error instanceof Fault &&
          error.kind === 'precondition' &&
          error.message.includes('bad.example/hosts'),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('credentials', () => {
  const none: PullAuth = {
    username: '',
    password: '',
    auth: '',
    serverAddress: '',
    identityToken: '',
    registryToken: '',
  };
  it('takes the most specific field', () => {
    assert.deepEqual(credentialsFrom(undefined), { kind: 'anonymous' });
    assert.deepEqual(credentialsFrom(none), { kind: 'anonymous' });
    const auth = Buffer.from('user:pass:word').toString('base64');
    const basic = { kind: 'basic', username: 'user', password: 'pass:word' };
    assert.deepEqual(credentialsFrom({ ...none, auth }), basic);
    assert.deepEqual(credentialsFrom({ ...none, username: 'user', password: 'pass:word' }), basic);
    assert.deepEqual(credentialsFrom({ ...none, auth, identityToken: 'i' }), {
      kind: 'identity',
      token: 'i',
    });
    assert.deepEqual(credentialsFrom({ ...none, auth, registryToken: 'r' }), { kind: 'bearer', token: 'r' });
  });

  it('goes to the registry itself, or to the host that it names', () => {
    const [mirror, origin] = parseHosts('[host."https://mirror"]', 'docker.io', '/');
    const sent = (serverAddress: string): boolean[] =>
      [mirror!, origin!].map((host) => mayReceive(host, { ...none, serverAddress }));
    assert.deepEqual(sent(''), [false, true]);
    assert.deepEqual(sent('mirror'), [true, false]);
    assert.deepEqual(sent('https://index.docker.io/v1/'), [false, true]);
    assert.deepEqual(sent('other.example'), [false, false]);
  });
});
