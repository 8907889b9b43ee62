import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isErrno } from './errno.ts';
import { startWriteback, syncAhead } from './writeback.ts';

describe('writing ahead of a sync', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-writeback-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('begins with a part of a file, changes nothing of it, and tells of a wrong descriptor', () => {
    const path = join(directory, 'file');
    const fd = openSync(path, 'w');
    writeSync(fd, Buffer.alloc(100_000, 7));
    startWriteback(fd, 4096, 8192);
    startWriteback(fd);
    closeSync(fd);
    assert.deepEqual(readFileSync(path), Buffer.alloc(100_000, 7));
    assert.throws(
      () => startWriteback(fd),
      (error) => isErrno(error, 'EBADF'),
    );
  });

  it('begins with a whole file system, one at a time, and leaves no descriptor', async () => {
    const open = (): number => openSync(directory, 'r');
    const first = open();
    closeSync(first);
    for (let i = 0; i < 5; i++) syncAhead(directory);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (let tries = 0; tries < 100; tries++) {
      const next = open();
      closeSync(next);
      if (next === first) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail('a descriptor is still open');
  });

  it('does nothing where nothing is', () => syncAhead(join(directory, 'absent')));
});
