import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Of, writeTar } from './archive.ts';

describe('archives of a release', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-archive-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  /** The same files, as another builder at another time has them. */
  function tree(name: string, order: string[], seconds: number, mode: number): string {
    const top = join(directory, name);
    mkdirSync(join(top, 'bin'), { recursive: true, mode: 0o700 });
    for (const file of order) {
      writeFileSync(join(top, file), file, { mode });
      utimesSync(join(top, file), seconds, seconds);
    }
    chmodSync(join(top, 'bin/b'), 0o755);
    symlinkSync('b', join(top, 'bin/link'));
    return top;
  }

  it('have the same bytes whoever made the files when, in which order', async () => {
    const one = tree('one', ['a', 'bin/b', 'c'], 1_000_000, 0o644);
    const other = tree('other', ['c', 'bin/b', 'a'], 2_000_000, 0o600);
    for (const name of ['x.tar', 'x.tar.gz']) {
      const files = [join(directory, `1-${name}`), join(directory, `2-${name}`)] as const;
      await writeTar(one, files[0], 1_700_000_000);
      await writeTar(other, files[1], 1_700_000_000);
      assert.equal(await sha256Of(files[0]), await sha256Of(files[1]), name);
    }
    const list = execFileSync('tar', ['--utc', '-tvzf', join(directory, '1-x.tar.gz')], { encoding: 'utf8' });
    assert.match(list, /^-rwxr-xr-x 0\/0 +5 2023-11-14 22:13 \.\/bin\/b$/m);
    assert.match(list, /^-rw-r--r-- 0\/0 +1 2023-11-14 22:13 \.\/a$/m);
  });

  it('say when they cannot be written', async () => {
    await assert.rejects(
      writeTar(join(directory, 'absent'), join(directory, 'x.tar'), 0),
      /tar ended with 2/,
    );
  });
});
