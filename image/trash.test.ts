import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT } from '../ground/log.ts';
import { treeUsage } from './disk-usage.ts';
import { Trash } from './trash.ts';

describe('trees of containers', () => {
  let root: string;
  beforeEach(() => (root = fs.mkdtempSync(join(tmpdir(), 'berth-trash-'))));
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

  /** Directories so deep that no path reaches the last one, each with a file. */
  function deepTree(path: string): void {
    const here = process.cwd();
    fs.mkdirSync(path);
    process.chdir(path);
    try {
      for (let depth = 0; depth < 60; depth++) {
        fs.writeFileSync('file', 'x');
        fs.mkdirSync('d'.repeat(200));
        process.chdir('d'.repeat(200));
      }
    } finally {
      process.chdir(here);
    }
  }

  it('are measured and deleted however deep they are', async () => {
    deepTree(join(root, 'deep'));
    assert.equal((await treeUsage(join(root, 'deep'))).inodes, 121);
    const trash = new Trash(join(root, 'trash'), SILENT);
    trash.take(join(root, 'deep'));
    await trash.emptied();
    assert.deepEqual(fs.readdirSync(root), ['trash']);
    assert.deepEqual(fs.readdirSync(join(root, 'trash')), []);
  });

  it('may have names that are no text, and links to elsewhere', async () => {
    const tree = join(root, 'tree');
    const raw = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]);
    fs.mkdirSync(raw, { recursive: true });
    fs.writeFileSync(Buffer.concat([raw, Buffer.from([0x2f, 0xfd])]), 'x');
    fs.mkdirSync(join(root, 'kept'));
    fs.writeFileSync(join(root, 'kept/file'), 'kept'.repeat(10_000));
    fs.symlinkSync(join(root, 'kept'), join(tree, 'link'));
    fs.linkSync(join(root, 'kept/file'), join(tree, 'one'));
    fs.linkSync(join(root, 'kept/file'), join(tree, 'two'));
    assert.equal((await treeUsage(tree)).inodes, 5);
    const trash = new Trash(join(root, 'trash'), SILENT);
    trash.take(tree);
    trash.take(join(root, 'never-there'));
    await trash.emptied();
    assert.deepEqual(fs.readdirSync(root).toSorted(), ['kept', 'trash']);
    assert.equal(fs.readFileSync(join(root, 'kept/file')).length, 40_000);
  });

  it('are measured in parts where a directory is large', async () => {
    const tree = join(root, 'tree');
    fs.mkdirSync(join(tree, 'large', 'below'), { recursive: true });
    // Long names: some hundreds of kilobytes of directory.
    for (let i = 0; i < 4_000; i++) fs.writeFileSync(join(tree, 'large', `${i}-${'x'.repeat(200)}`), '');
    fs.writeFileSync(join(tree, 'large', 'below', 'one'), 'x'.repeat(10_000));
    assert.ok(fs.statSync(join(tree, 'large')).size > 64 * 1024);
    const { inodes, bytes } = await treeUsage(tree);
    assert.equal(inodes, 4_004);
    assert.ok(bytes >= 10_000);
  });

  it('wait for the next start when the store closes', async () => {
    fs.mkdirSync(join(root, 'tree/a'), { recursive: true });
    const trash = new Trash(join(root, 'trash'), SILENT);
    trash.take(join(root, 'tree'));
    await trash.close();
    assert.deepEqual(fs.readdirSync(join(root, 'trash')), ['0']);
    const next = new Trash(join(root, 'trash'), SILENT);
    await next.emptied();
    assert.deepEqual(fs.readdirSync(join(root, 'trash')), []);
  });

  it('are not walked on when the caller has left', async () => {
    fs.mkdirSync(join(root, 'tree'));
    await assert.rejects(treeUsage(join(root, 'tree'), AbortSignal.abort()), { name: 'AbortError' });
    assert.deepEqual(await treeUsage(join(root, 'absent')), { bytes: 0, inodes: 0 });
  });
});
