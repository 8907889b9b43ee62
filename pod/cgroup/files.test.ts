import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNumber, readTable, readText } from './files.ts';

describe('files of a cgroup', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-files-'));
    writeFileSync(
      join(directory, 'stat'),
      'file 1\ninactive_file 2\nfile_mapped 3\nodd x\nbig 18446744073709551615',
    );
    writeFileSync(join(directory, 'limit'), 'max\n');
    writeFileSync(join(directory, 'usage'), '42\n');
  });
  after(() => rmSync(directory, { recursive: true }));

  it('are tables by whole names', () => {
    const table = readTable(directory, 'stat')!;
    const values = ['file', 'inactive_file', 'file_mapped', 'mapped', 'odd', 'big', 'fil'].map((name) =>
      table.get(name),
    );
    assert.deepEqual(values, [1n, 2n, 3n, undefined, undefined, 2n ** 64n - 1n, undefined]);
    assert.equal(readTable(directory, 'none'), undefined);
  });

  it('are numbers, or no number', () => {
    assert.equal(readNumber(directory, 'usage'), 42n);
    assert.equal(readNumber(directory, 'limit'), undefined);
    assert.equal(readNumber(undefined, 'usage'), undefined);
    assert.equal(readText(join(directory, 'gone'), 'usage'), undefined);
  });
});
