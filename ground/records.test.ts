import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { decodeRecord, encodeRecord, RecordStore } from './records.ts';

describe('RecordStore', () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'records-'));
    file = join(directory, 'berth.db');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('keeps rows over a restart, in the order of their first writing', () => {
    const first = new RecordStore(file);
    const table = first.table<{ n: bigint }>('things');
    table.put('b', { n: 1n });
    table.put('a', { n: 2n });
    table.put('b', { n: 1795379278060664523n });
    table.put('gone', { n: 0n });
    table.delete('gone');
    first.close();
    const again = new RecordStore(file);
    assert.deepEqual(again.table('things').all(), [
      { id: 'b', value: { n: 1795379278060664523n } },
      { id: 'a', value: { n: 2n } },
    ]);
    again.close();
  });

  it('says when its log cannot be brought to the disk', async () => {
    const store = new RecordStore(file);
    const table = store.table('things');
    table.put('a', {});
    await table.settle();
    renameSync(`${file}-wal`, `${file}-away`);
    await assert.rejects(table.settle(), { kind: 'unavailable', message: /cannot be brought to the disk/ });
    renameSync(`${file}-away`, `${file}-wal`);
    store.close();
  });

  it('sets an unreadable row aside and goes on', () => {
    const store = new RecordStore(file);
    store.table('things').put('good', { ok: true });
    store.table('things').put('bad', { ok: false });
    store.close();
    const raw = new DatabaseSync(file);
    raw.exec("UPDATE records SET json = '{\"ok\":' WHERE id = 'bad'");
    raw.close();
    const again = new RecordStore(file);
    assert.deepEqual(
      again
        .table('things')
        .all()
        .map(({ id }) => id),
      ['good'],
    );
    assert.deepEqual(
      again.quarantined.map(({ kind, id }) => `${kind}/${id}`),
      ['things/bad'],
    );
    assert.deepEqual(
      again
        .table('things')
        .all()
        .map(({ id }) => id),
      ['good'],
    );
    again.close();
  });

  it('sets a row aside that its reader refuses', () => {
    const store = new RecordStore(file);
    const table = store.table('things', (value) => {
      if ((value as { n?: number }).n === undefined) throw new Error('n is missing');
      return value;
    });
    table.put('x', {});
    assert.equal(table.get('x'), undefined);
    assert.equal(store.quarantined[0]!.reason, 'n is missing');
    store.close();
  });

  it('undoes a transaction that throws', () => {
    const store = new RecordStore(file);
    const table = store.table<number>('things');
    assert.throws(() =>
      store.transaction(() => {
        table.put('x', 1);
        throw new Error('no');
      }),
    );
    assert.equal(table.get('x'), undefined);
    store.close();
  });
});

describe('encodeRecord', () => {
  it('gives back what went in, bigints and bytes too', () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.bigInt(),
      fc.boolean(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.oneof(leaf, fc.array(leaf))), (value) => {
        assert.deepEqual(decodeRecord(encodeRecord(value)), { ...value });
      }),
    );
  });
});
