import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RecordStore } from '../ground/records.ts';
import { AddressLeases } from './address-leases.ts';
import { parsePodRanges } from './pod-range.ts';

describe('address leases', () => {
  let records: RecordStore;
  beforeEach(() => (records = new RecordStore(':memory:')));
  afterEach(() => records.close());

  const small = parsePodRanges('10.1.0.0/29');

  it('gives addresses in turn, and the one that was freed last as late as possible', () => {
    const leases = new AddressLeases(records);
    const take = (id: string): string => leases.take(id, small, `link-${id}`).addresses[0]!;
    assert.deepEqual(['a', 'b', 'c'].map(take), ['10.1.0.2', '10.1.0.3', '10.1.0.4']);
    leases.release('a');
    leases.drop('a');
    leases.release('c');
    leases.drop('c');
    assert.deepEqual(['d', 'e', 'f', 'g'].map(take), ['10.1.0.5', '10.1.0.6', '10.1.0.2', '10.1.0.4']);
    assert.throws(() => take('h'), {
      kind: 'exhausted',
      message: /10.1.0.0\/29 \(5 in all, 0 being released\)/,
    });
    assert.throws(() => take('d'), { kind: 'exists', subject: 'sandbox d' });
  });

  it('gives the address of a lease that is being released to nobody', () => {
    const leases = new AddressLeases(records);
    for (const id of ['a', 'b', 'c', 'd', 'e']) leases.take(id, small, id);
    leases.release('a');
    assert.throws(() => leases.take('f', small, 'f'), { kind: 'exhausted', message: /1 being released/ });
    leases.drop('a');
    assert.equal(leases.take('f', small, 'f').addresses[0], '10.1.0.2');
  });

  it('takes from both families or from none', () => {
    const leases = new AddressLeases(records);
    const ranges = parsePodRanges('fd00::/64,10.1.0.0/30');
    assert.deepEqual(leases.take('a', ranges, 'a').addresses, ['fd00::2', '10.1.0.2']);
    assert.throws(() => leases.take('b', ranges, 'b'), { kind: 'exhausted' });
    assert.equal(leases.entries().length, 1);
  });

  it('sets a record that is no lease aside', () => {
    records.table('addresses').put('odd', { state: 'held', addresses: ['nowhere'], ranges: [], link: 'x' });
    new AddressLeases(records).take('a', small, 'a');
    assert.deepEqual(
      records.quarantined.map(({ id }) => id),
      ['odd'],
    );
  });

  it('never gives an address twice, over restarts too', () => {
    const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('take', 'release', 'drop'), id: ids }),
      fc.constant({ do: 'restart', id: '' }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = new RecordStore(':memory:');
        try {
          let leases = new AddressLeases(store);
          for (const { do: verb, id } of steps) {
            const known = leases.get(id) !== undefined;
            if (verb === 'restart') leases = new AddressLeases(store);
            else if (verb === 'release') leases.release(id);
            else if (verb === 'drop') leases.drop(id);
            else if (!known && leases.entries().length < 5) leases.take(id, small, id);
            const all = leases.entries().flatMap(([, { addresses }]) => addresses);
            assert.equal(new Set(all).size, all.length);
            assert.deepEqual(new Map(new AddressLeases(store).entries()), new Map(leases.entries()));
          }
        } finally {
          store.close();
        }
      }),
      { numRuns: 50 },
    );
  });
});
