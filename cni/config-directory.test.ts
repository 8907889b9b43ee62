import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigDirectory } from './config-directory.ts';

describe('the CNI configuration directory', () => {
  let path: string;
  beforeEach(() => (path = mkdtempSync(join(tmpdir(), 'berth-net.d-'))));
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  const put = (file: string, name: string): void =>
    writeFileSync(
      join(path, file),
      JSON.stringify({ cniVersion: '1.0.0', name, plugins: [{ type: 'bridge' }] }),
    );

  it('takes the first sound file by name and names the bad ones before it', async () => {
    const directory = new ConfigDirectory(path);
    put('30-last.conflist', 'last');
    put('20-first.conflist', 'first');
    put('00-ignored.txt', 'ignored');
    writeFileSync(join(path, '10-broken.conf'), '{"name":');
    mkdirSync(join(path, '15-directory.conflist'));
    assert.equal(await directory.refresh(), true);
    assert.equal(directory.current?.name, 'first');
    assert.deepEqual(
      directory.bad.map(({ file }) => file),
      ['10-broken.conf', '15-directory.conflist'],
    );
  });

  it('reads again only when something changed, contents in place included', async () => {
    const directory = new ConfigDirectory(path);
    put('10.conflist', 'a');
    await directory.refresh();
    const list: unknown = directory.current;
    assert.equal(await directory.refresh(), false);
    assert.equal(directory.current, list);
    put('10.conflist', 'longer');
    assert.equal(await directory.refresh(), true);
    assert.equal(directory.current?.name, 'longer');
    rmSync(join(path, '10.conflist'));
    assert.equal(await directory.refresh(), true);
    assert.equal(directory.current, undefined);
  });

  it('reads .conflist, .conf and .json in the order of their names', async () => {
    const directory = new ConfigDirectory(path);
    put('30.conflist', 'third');
    writeFileSync(
      join(path, '20.conf'),
      JSON.stringify({ cniVersion: '0.3.1', name: 'second', type: 'ptp' }),
    );
    put('10.json', 'first');
    await directory.refresh();
    assert.equal(directory.current?.name, 'first');
    rmSync(join(path, '10.json'));
    await directory.refresh();
    assert.deepEqual([directory.current?.name, directory.current?.plugins.length], ['second', 1]);
  });

  it('appends plugins from the directory of the network, unless the list forbids it', async () => {
    const directory = new ConfigDirectory(path);
    put('10.conflist', 'pods');
    mkdirSync(join(path, 'pods'));
    const types = (): string[] | undefined => directory.current?.plugins.map(({ type }) => type);
    writeFileSync(join(path, 'pods', '20-b.conf'), '{"type":"portmap"}');
    writeFileSync(join(path, 'pods', '10-a.conf'), '{"type":"tuning"}');
    writeFileSync(join(path, 'pods', 'notes.txt'), 'no');
    await directory.refresh();
    assert.deepEqual(types(), ['bridge', 'tuning', 'portmap']);
    assert.equal(await directory.refresh(), false);
    writeFileSync(join(path, 'pods', '10-a.conf'), '{"type":"firewall"}');
    assert.equal(await directory.refresh(), true);
    assert.deepEqual(types(), ['bridge', 'firewall', 'portmap']);
    writeFileSync(join(path, 'pods', '30-c.conf'), '{"mtu":1400}');
    await directory.refresh();
    assert.equal(directory.current, undefined);
    assert.match(directory.bad[0]!.reason, /plugin 3 has no usable type/);
    const list = { cniVersion: '1.1.0', name: 'pods', loadOnlyInlinedPlugins: true };
    writeFileSync(join(path, '10.conflist'), JSON.stringify({ ...list, plugins: [{ type: 'ptp' }] }));
    await directory.refresh();
    assert.deepEqual(types(), ['ptp']);
  });

  it('is empty while it is missing', async () => {
    const directory = new ConfigDirectory(join(path, 'later'));
    await directory.refresh();
    assert.deepEqual([directory.current, directory.bad], [undefined, []]);
    mkdirSync(join(path, 'later'));
    path = join(path, 'later');
    put('10.conflist', 'late');
    await directory.refresh();
    assert.equal(directory.current?.name, 'late');
    path = join(path, '..');
  });
});
