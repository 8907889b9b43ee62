import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { DaemonCensus } from '../../cri/census.ts';
import { censusOf } from '../../cri/census.ts';
import { fakeRooms } from '../../test/fakes/rooms.ts';
import { Matters } from './matters.ts';
import { TIMES } from './times.ts';

const BOUNDS = { ...TIMES.matters, oldDebtMs: 100 };
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
const HOUR = 3_600_000;

describe('what a person should know', () => {
  const census = (changes: Partial<DaemonCensus> = {}): DaemonCensus => ({
    ...censusOf(fakeRooms()),
    startedAt: LONG_AGO,
    ...changes,
  });
  const LONG_AGO = ago(5 * HOUR);
  const reasons = (matters: Matters, one: DaemonCensus, atMs = 0): string[] =>
    matters.of(one, atMs).map(({ reason }) => reason);

  it('is nothing when all is well', () => {
    assert.deepEqual(reasons(new Matters(BOUNDS), census()), []);
  });

  it('is a start that was seen or is recent, one series for many', () => {
    const matters = new Matters(BOUNDS);
    matters.of(census(), 0);
    const first = matters.of(census({ startedAt: ago(2000) }), 1);
    const again = matters.of(census({ startedAt: ago(1000) }), 2);
    assert.deepEqual([first[0]!.reason, first[0]!.key], ['DaemonStarted', again[0]!.key]);
    assert.notEqual(first[0]!.occurrence, again[0]!.occurrence);
    const other = matters.of(census({ startedAt: ago(500), version: '9' }), 3);
    assert.notEqual(other[0]!.key, first[0]!.key, 'another version is other news');
    assert.deepEqual(reasons(new Matters(BOUNDS), census({ startedAt: ago(1000) })), ['DaemonStarted']);
  });

  it('is what has happened, unless it was long before the agent', () => {
    const notice = (id: number, at: string): DaemonCensus['notices'][number] => ({
      id,
      at,
      kind: 'no-room',
      message: `image ${id}`,
    });
    const matters = new Matters(BOUNDS);
    const old = notice(1, ago(2 * HOUR));
    const seen = matters.of(census({ notices: [old, notice(2, ago(1000))] }), 0);
    assert.deepEqual(
      seen.map(({ reason, note }) => [reason, note]),
      [['ImageStoreFull', 'image 2']],
    );
    // The clock was put back by hours: what is new is new all the same.
    const later = matters.of(census({ notices: [old, notice(3, ago(9 * HOUR))] }), 1);
    assert.deepEqual(
      later.map(({ note }) => note),
      ['image 3'],
    );
  });

  it('is a handler that is not the wanted one', () => {
    const handlers = census().handlers.map((one) => ({
      ...one,
      usable: one.name !== 'crun',
      isDefault: one.name === 'runc',
      reason: one.name === 'crun' ? 'too old' : '',
    }));
    const [matter] = new Matters(BOUNDS).of(census({ handlers }), 0);
    assert.equal(matter!.reason, 'HandlerFellBack');
    assert.match(matter!.note, /run by runc: crun does not work on this node: too old/);
  });

  it('is a disk that is nearly full, until there is enough room again', () => {
    const matters = new Matters(BOUNDS);
    const disk = (bytesFree: number, inodesFree: number): DaemonCensus =>
      census({ disk: { path: '/d', bytesTotal: 100, bytesFree, inodesTotal: 100, inodesFree } });
    assert.deepEqual(reasons(matters, disk(10, 50)), []);
    assert.deepEqual(reasons(matters, disk(9, 50)), ['ImageDiskPressure']);
    assert.deepEqual(reasons(matters, disk(12, 50)), ['ImageDiskPressure']);
    assert.deepEqual(reasons(matters, disk(13, 50)), []);
    assert.match(matters.of(disk(50, 3), 0)[0]!.note, /less than 10 % of its inodes are free \(3 %\)/);
    const none = census({ disk: { path: '/d', bytesTotal: 1, bytesFree: 1, inodesTotal: 0, inodesFree: 0 } });
    assert.deepEqual(reasons(matters, none), [], 'a file system without a number of inodes');
  });

  it('is a debt that grows old by a clock that does not jump', () => {
    const debt = (id: string): DaemonCensus['debts'][number] => ({
      id,
      kind: 'network',
      since: ago(9 * HOUR),
      tries: 3,
      lastError: 'no plugin',
    });
    const matters = new Matters(BOUNDS);
    assert.deepEqual(reasons(matters, census({ debts: [debt('a')] }), 0), []);
    assert.deepEqual(reasons(matters, census({ debts: [debt('a'), debt('b')] }), 99), []);
    assert.deepEqual(reasons(matters, census({ debts: [debt('a'), debt('b')] }), 100), ['DebtUnpaid']);
    assert.deepEqual(reasons(matters, census({ debts: [] }), 101), []);
    assert.deepEqual(reasons(matters, census({ debts: [debt('a')] }), 150), [], 'another one of that name');
    const many = 'abcdefgh'.split('').map(debt);
    matters.of(census({ debts: many }), 200);
    const [one, ...others] = matters.of(census({ debts: many }), 400);
    assert.deepEqual([one!.note, others.length], ['8 undo steps have failed for long, see: berth status', 0]);
  });

  it('is bounded, and has keys that differ, whatever the daemon says', () => {
    const text = fc.string();
    const record = fc.record({ kind: text, id: text, reason: text });
    const debt = fc.record({ kind: text, id: text, since: text, lastError: text, tries: fc.nat() });
    fc.assert(
      fc.property(
        fc.uniqueArray(record, { selector: ({ kind, id, reason }) => `${kind} ${id} ${reason}` }),
        fc.uniqueArray(debt, { selector: ({ kind, id }) => `${kind} ${id}` }),
        (records, debts) => {
          const matters = new Matters(BOUNDS);
          const one = census({ quarantined: records, debts, startedAt: new Date().toISOString() });
          matters.of(one, 0);
          const keys = matters.of(one, 1000).map(({ key }) => key);
          assert.equal(new Set(keys).size, keys.length);
          assert.ok(keys.length <= 11);
        },
      ),
    );
  });
});
