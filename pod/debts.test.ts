import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { systemClock } from '../ground/clock.ts';
import { SILENT } from '../ground/log.ts';
import { RecordStore } from '../ground/records.ts';
import { sleep } from '../ground/wait.ts';
import { Debts, type DebtRecord } from './debts.ts';

describe('Debts', () => {
  it('pays at once when it can, and owes nothing', async () => {
    const store = new RecordStore(':memory:');
    const debts = new Debts(store.table<DebtRecord>('debts'), systemClock, SILENT);
    const paid: unknown[] = [];
    debts.register('network', async (detail) => void paid.push(detail));
    assert.equal(await debts.payOrOwe('network', 's1', { a: 1 }), true);
    assert.deepEqual(paid, [{ a: 1 }]);
    assert.deepEqual(debts.open, []);
    store.close();
  });

  it('writes down what failed, tries again in the background, and survives a restart', async () => {
    const store = new RecordStore(':memory:');
    const table = store.table<DebtRecord>('debts');
    const before = new Debts(table, systemClock, SILENT);
    before.register('network', () => Promise.reject(new Error('plugin is gone')));
    assert.equal(await before.payOrOwe('network', 's1', { a: 1 }), false);
    assert.equal(before.open[0]!.lastError, 'plugin is gone');
    before.close();

    const after = new Debts(table, systemClock, SILENT);
    const paid: string[] = [];
    after.register('network', async (_detail, owner) => void paid.push(owner));
    assert.deepEqual(
      after.stored().map(({ owner }) => owner),
      ['s1'],
    );
    after.resume();
    for (let tries = 0; paid.length === 0 && tries < 50; tries++) await sleep(50);
    await sleep(1);
    assert.deepEqual(paid, ['s1']);
    assert.deepEqual(table.all(), []);
    assert.deepEqual(after.open, []);
    after.close();
    store.close();
  });
});
