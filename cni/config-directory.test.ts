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
