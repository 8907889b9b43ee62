import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { kubeconfigLogin } from './kubeconfig.ts';
import { isInCluster, serviceAccountLogin } from './login.ts';

describe('logins', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-login-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const yaml = (cluster: string[], user: string[]): string => `apiVersion: v1
kind: Config
current-context: here
contexts:
- name: there
  context: { cluster: none, user: none }
- name: here
  context:
    cluster: c
    user: u
clusters:
- name: c
  cluster:
${cluster.map((line) => `    ${line}\n`).join('')}users:
- name: u
  user:
${user.map((line) => `    ${line}\n`).join('')}`;
  const login = (cluster: string[], user: string[]): ReturnType<ReturnType<typeof kubeconfigLogin>> =>
    kubeconfigLogin(write('config', yaml(cluster, user)))();
  const SERVER = ['server: https://api.example:6443'];

  it('takes certificates from files beside the kubeconfig', async () => {
    write('ca.crt', 'CA');
    write('me.crt', 'CERT');
    const key = write('me.key', 'KEY');
    const { server, tls, headers } = await login(
      [...SERVER, 'certificate-authority: ca.crt', 'tls-server-name: kubernetes'],
      ['client-certificate: ./me.crt', `client-key: ${key}`],
    );
    assert.equal(server, 'https://api.example:6443');
    assert.deepEqual([tls.ca, tls.cert, tls.key].map(String), ['CA', 'CERT', 'KEY']);
    assert.equal(tls.servername, 'kubernetes');
    assert.deepEqual(headers, {});
  });

  it('prefers what stands in the file itself, in base64', async () => {
    const data = (text: string): string => Buffer.from(text).toString('base64');
    const { tls } = await login(
      [...SERVER, `certificate-authority-data: ${data('CA2')}`, 'certificate-authority: nowhere'],
      [`client-certificate-data: ${data('CERT2')}`, `client-key-data: ${data('KEY2')}`],
    );
    assert.deepEqual([tls.ca, tls.cert, tls.key].map(String), ['CA2', 'CERT2', 'KEY2']);
  });

  it('knows tokens, token files that others renew, and passwords', async () => {
    assert.deepEqual((await login(SERVER, ['token: t1'])).headers, { authorization: 'Bearer t1' });
    write('token', 'old\n');
    const source = kubeconfigLogin(write('config', yaml(SERVER, ['tokenFile: token', 'token: t1'])));
    assert.deepEqual((await source()).headers, { authorization: 'Bearer old' });
    write('token', 'new\n');
    assert.deepEqual((await source()).headers, { authorization: 'Bearer new' });
    const { headers } = await login(SERVER, ['username: u', 'password: p:q']);
    assert.equal(headers['authorization'], `Basic ${Buffer.from('u:p:q').toString('base64')}`);
  });

  it('speaks in the name of others', async () => {
    const { headers } = await login(SERVER, [
      'token: t',
      'as: jane',
      'as-uid: "7"',
      'as-groups: [dev, ops]',
      'as-user-extra: { example.org/Scopes: [view] }',
    ]);
    assert.deepEqual(headers, {
      authorization: 'Bearer t',
      'impersonate-user': 'jane',
      'impersonate-uid': '7',
      'impersonate-group': ['dev', 'ops'],
      'impersonate-extra-example.org%2fscopes': ['view'],
    });
  });

  it('needs a word for connections that are not safe', async () => {
    const plain = ['server: http://127.0.0.1:8080'];
    await assert.rejects(login(plain, ['token: t']), /is not encrypted/);
    const { tls } = await login([...plain, 'insecure-skip-tls-verify: true'], ['token: t']);
    assert.equal(tls.rejectUnauthorized, false);
  });

  it('says what is wrong with a kubeconfig', async () => {
    const wrong = async (text: string, why: RegExp): Promise<void> => {
      await assert.rejects(kubeconfigLogin(write('config', text))(), (error) => {
        assert.ok(error instanceof Fault && error.kind === 'precondition', String(error));
        assert.match(error.message, /^The kubeconfig .*config cannot be read: /);
        assert.match(error.message, why);
        return true;
      });
    };
    await wrong('[]', /no object/);
    await wrong('{', /JSON/);
    await wrong('a: b: c', /bad indentation|mapping/);
    await wrong('{"current-context":"x"}', /no context "x"/);
    await wrong(
      yaml(SERVER, ['token: t']).replace('current-context: here', 'current-context: there'),
      /no cluster/,
    );
    await wrong(yaml(['server: ""'], ['token: t']), /names no server/);
    await wrong(yaml(SERVER, ['tokenFile: gone']), /ENOENT/);
    await assert.rejects(kubeconfigLogin(join(directory, 'none'))(), /none cannot be read.*ENOENT/);
  });

  it('leaves login programs and proxies to the library', async () => {
    const program = write(
      'login',
      `#!/bin/sh\necho '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"from-program"}}'\n`,
    );
    chmodSync(program, 0o755);
    const exec = [
      'exec:',
      '  apiVersion: client.authentication.k8s.io/v1',
      `  command: ${program}`,
      '  interactiveMode: Never',
    ];
    const { server, headers, agent } = await login(SERVER, exec);
    assert.equal(server, 'https://api.example:6443');
    assert.equal(headers['Authorization'], 'Bearer from-program');
    assert.equal(agent, undefined);
    const proxied = await login([...SERVER, 'proxy-url: http://127.0.0.1:3128'], ['token: t']);
    assert.notEqual(proxied.agent, undefined);
    assert.equal(proxied.headers['Authorization'], 'Bearer t');
  }).timeout(60_000);

  it('finds the service account of a pod, and its token anew each time', async () => {
    const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    assert.ok(isInCluster(environment));
    assert.ok(!isInCluster({}));
    const source = serviceAccountLogin(environment, directory);
    await assert.rejects(source(), /service account of this pod cannot be read.*ENOENT/);
    write('ca.crt', 'CA');
    write('token', 'one\n');
    assert.deepEqual(await source(), {
      server: 'https://[fd00::1]:443',
      tls: { ca: 'CA' },
      headers: { authorization: 'Bearer one' },
    });
    write('token', 'two\n');
    assert.deepEqual((await source()).headers, { authorization: 'Bearer two' });
  });
});
