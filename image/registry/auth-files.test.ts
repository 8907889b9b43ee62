import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../ground/log.ts';
import { SILENT } from '../../ground/log.ts';
import { readAuthFiles } from './auth-files.ts';
import type { AskHelper } from './credential-helpers.ts';

const NONE = {
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

describe('credential files', () => {
  let directory: string;
  let warnings: string[];
  let asked: string[];
  const ask: AskHelper = async (helper, registry) => {
    asked.push(`${helper} ${registry}`);
    return helper === 'mute' ? undefined : { ...NONE, username: `${helper} for ${registry}` };
  };
  const log: Log = { ...SILENT, warn: (...parts: unknown[]) => void warnings.push(JSON.stringify(parts)) };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-auth-'));
    warnings = [];
    asked = [];
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (name: string, content: unknown): string => {
    const path = join(directory, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const users = async (paths: string[], ...names: [string, string][]): Promise<(string | undefined)[]> => {
    const node = await readAuthFiles(paths, log, [...new Set(names.map(([registry]) => registry))], ask);
    return names.map(([registry, repository]) => node.find(registry, repository)?.username);
  };

  it('find the longest path, then the host', async () => {
    const file = write('auth.json', {
      auths: {
        'reg.example': { username: 'host' },
        'reg.example/team': { username: 'team' },
        'reg.example/team/app': { username: 'app' },
        'reg.example:5000': { username: 'port' },
      },
    });
    assert.deepEqual(
      await users(
        [file],
        ['reg.example', 'team/app'],
        ['reg.example', 'team/app/part'],
        ['reg.example', 'team/application'],
        ['reg.example', 'teams/x'],
        ['reg.example:5000', 'team/app'],
        ['example', 'team'],
      ),
      ['app', 'app', 'team', 'host', 'port', undefined],
    );
    assert.deepEqual(warnings, []);
  });

  it('read the names that Docker writes', async () => {
    const file = write('config.json', {
      auths: {
        'https://index.docker.io/v1/': { username: 'hub' },
        'https://reg.example/v2/': { username: 'v2' },
        'http://plain.example': { username: 'plain' },
        'helper.example': {},
      },
      credsStore: 'mute',
    });
    assert.deepEqual(
      await users(
        [file],
        ['docker.io', 'library/busybox'],
        ['reg.example', 'x'],
        ['plain.example', 'x'],
        ['helper.example', 'x'],
      ),
      ['hub', 'v2', 'plain', undefined],
    );
  });

  it('are asked in order, and a broken one is passed by with a warning that quotes nothing of it', async () => {
    const broken = write('broken.json', '{"auths": {"reg.example": {"password": "s3cret');
    const list = write('list.json', { auths: 's3cret' });
    mkdirSync(join(directory, 'directory'));
    const first = write('first.json', { auths: { 'reg.example': { username: 'first' }, wrong: 's3cret' } });
    const second = write('second.json', {
      auths: { 'reg.example': { username: 'second' }, b: { auth: 'x' } },
    });
    const paths = [broken, list, join(directory, 'directory'), join(directory, 'absent'), first, second];
    assert.deepEqual(await users(paths, ['reg.example', 'x']), ['first']);
    const node = await readAuthFiles([first, second], log, ['b'], ask);
    assert.equal(node.find('b', 'x')?.auth, 'x');
    assert.equal(warnings.length, 3);
    assert.doesNotMatch(warnings.join(), /s3cret/);
  });

  it('have helpers for hosts before what they hold themselves, and one for all the others after it', async () => {
    const file = write('config.json', {
      auths: {
        'own.example': { username: 'own' },
        'helped.example': { username: 'passed by' },
        'store.example': {},
      },
      credHelpers: { 'helped.example': 'one', 'https://mute.example/v1/': 'mute' },
      credsStore: 'all',
    });
    const second = write('second.json', { auths: { 'mute.example': { username: 'second' } } });
    const names: [string, string][] = [
      ['own.example', 'x'],
      ['helped.example', 'x'],
      ['store.example', 'x'],
      ['mute.example', 'x'],
    ];
    assert.deepEqual(await users([file, second], ...names), [
      'own',
      'one for helped.example',
      'all for store.example',
      'second',
    ]);
    assert.deepEqual(asked.toSorted(), [
      'all own.example',
      'all store.example',
      'mute mute.example',
      'one helped.example',
    ]);
    assert.deepEqual(warnings, []);
  });

  it('are refused when their helpers are no names', async () => {
    const list = write('list.json', { credHelpers: 'one', auths: { a: { username: 'x' } } });
    const store = write('store.json', { credsStore: 7, auths: { a: { username: 'x' } } });
    assert.deepEqual(await users([list, store], ['a', 'x']), [undefined]);
    assert.equal(warnings.length, 2);
    assert.deepEqual(asked, []);
  });

  it('are not read when they are beyond all bounds', async () => {
    const large = write('large.json', ' '.repeat(2 * 1024 * 1024));
    assert.deepEqual(await users([large], ['reg.example', 'x']), [undefined]);
    assert.match(warnings[0]!, /more than 1048576 bytes/);
  });
});
