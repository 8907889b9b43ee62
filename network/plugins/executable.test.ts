import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OWN_TYPES } from './own-plugins.ts';

const BERTH = fileURLToPath(new URL('../../bin/berth', import.meta.url));

describe('plugins as programs', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-cni-bin-'))));
  afterEach(() => rmSync(directory, { recursive: true }));
  const berth = (...args: string[]): { status: number | null; stderr: string } =>
    spawnSync(BERTH, ['cni', ...args], { encoding: 'utf8' });
  const call = (verb: string, config: object, more: Record<string, string> = {}): Record<string, unknown> => {
    const env = { ...process.env, CNI_COMMAND: verb, CNI_PATH: directory, CNI_CONTAINERID: 'a', ...more };
    const { stdout } = spawnSync(join(directory, 'host-local'), {
      input: JSON.stringify({ cniVersion: '1.1.0', name: 'n', ...config }),
      env: { ...env, CNI_NETNS: '/proc/self/ns/net', CNI_IFNAME: 'eth0' },
      encoding: 'utf8',
    });
    return stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
  };

  it('are written, work, and are taken away again', () => {
    assert.equal(berth('install', directory).status, 0);

    assert.deepEqual(readdirSync(directory).sort(), OWN_TYPES.toSorted());
    const ipam = { dataDir: join(directory, 'data'), subnet: '10.1.0.0/24' };
    assert.deepEqual(call('VERSION', {})['supportedVersions'], ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']);
    assert.deepEqual(call('ADD', { ipam })['ips'], [{ address: '10.1.0.2/24', gateway: '10.1.0.1' }]);
    assert.deepEqual(call('DEL', { ipam }), {});
    assert.equal(call('ADD', { ipam: {} })['code'], 7);
    assert.equal(call('ADD', { cniVersion: '9.0.0', ipam })['code'], 1);
    assert.equal(call('SING', { ipam })['code'], 4);
    assert.equal(berth('remove', directory).status, 0);
    assert.deepEqual(readdirSync(directory), ['data']);
  });

  it('do not replace what others installed, unless told to', () => {
    const path = join(directory, 'loopback');
    symlinkSync('/usr/lib/cni/loopback', path);
    const { status, stderr } = berth('install', directory);
    assert.equal(status, 1);
    assert.match(stderr, /loopback.*--force/s);
    assert.deepEqual(readdirSync(directory), ['loopback']);
    berth('remove', directory);
    assert.ok(existsSync(path));
    assert.equal(berth('install', directory, '--force').status, 0);
    berth('remove', directory);
    assert.ok(!existsSync(path));
    assert.throws(() => unlinkSync(path));
  });
});
