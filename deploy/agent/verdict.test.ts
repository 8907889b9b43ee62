import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { DaemonCensus } from '../../cri/census.ts';
import type { DaemonFacts } from './daemon-watch.ts';
import { conditionFor, says, Steady, verdictOf, type Verdict } from './verdict.ts';

const facts = (conditions: DaemonFacts['conditions']): { facts: DaemonFacts } => ({
  facts: { census: { version: '1.2' } as DaemonCensus, conditions },
});
const GOOD: Verdict = { status: 'True', reason: 'DaemonServes', message: 'fine' };
const BAD: Verdict = { status: 'False', reason: 'DaemonUnreachable', message: 'gone' };

describe('the verdict on a daemon', () => {
  it('follows its conditions', () => {
    const ready = { type: 'RuntimeReady', status: true, reason: '', message: '' };
    assert.deepEqual(verdictOf(facts([ready])), {
      status: 'True',
      reason: 'DaemonServes',
      message: 'Berth 1.2 serves',
    });
    const network = {
      type: 'NetworkReady',
      status: false,
      reason: 'NetworkPluginNotReady',
      message: 'no list',
    };
    assert.deepEqual(verdictOf(facts([ready, network])), {
      status: 'False',
      reason: 'NetworkPluginNotReady',
      message: 'NetworkReady: no list',
    });
    const odd = { ...network, reason: 'not a word' };
    assert.equal(verdictOf(facts([odd])).reason, 'NetworkReadyFalse');
    assert.equal(verdictOf({ trouble: 'x'.repeat(5000) }).message.length, 1024);
  });

  it('says what is good at once, and what is bad after a while', () => {
    const steady = new Steady({ fallMs: 20, riseMs: 5 });
    assert.equal(steady.see(BAD, 0), undefined);
    assert.equal(steady.see(GOOD, 1), GOOD);
    assert.equal(steady.see(BAD, 2), GOOD);
    assert.equal(steady.see(BAD, 21), GOOD);
    assert.equal(steady.see(GOOD, 22), GOOD);
    assert.equal(steady.see(BAD, 23), GOOD, 'the time begins anew');
    assert.equal(steady.see(BAD, 43), BAD);
    const other = { ...BAD, message: 'still gone' };
    assert.equal(steady.see(other, 44), other, 'no other status');
    assert.equal(steady.see(GOOD, 45), other);
    assert.equal(steady.see(GOOD, 50), GOOD);
  });

  it('never changes its status sooner than it may, whatever is seen', () => {
    const sight = fc.record({ good: fc.boolean(), afterMs: fc.integer({ min: 0, max: 30 }) });
    fc.assert(
      fc.property(fc.array(sight), (sights) => {
        const steady = new Steady({ fallMs: 20, riseMs: 5 });
        const seen: [Verdict['status'], number][] = [];
        let at = 0;
        let before: Verdict | undefined;
        for (const { good, afterMs } of sights) {
          at += afterMs;
          seen.push([good ? 'True' : 'False', at]);
          const now = steady.see(good ? GOOD : BAD, at);
          if (now !== undefined && now.status !== before?.status && (before !== undefined || !good)) {
            const limit = now.status === 'False' ? 20 : 5;
            const stretch = seen.slice(seen.findLastIndex(([status]) => status !== now.status) + 1);
            assert.ok(stretch.at(-1)![1] - stretch[0]![1] >= limit);
          }
          before = now ?? before;
        }
      }),
    );
  });

  it('becomes a condition that keeps the time of its last change', () => {
    const first = conditionFor(GOOD, undefined, new Date('2026-01-01T00:00:00.987Z'));
    assert.deepEqual(first, {
      type: 'BerthReady',
      ...GOOD,
      lastHeartbeatTime: '2026-01-01T00:00:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    const later = conditionFor(GOOD, first, new Date('2026-01-01T00:05:00Z'));
    assert.equal(later.lastTransitionTime, first.lastTransitionTime);
    assert.equal(later.lastHeartbeatTime, '2026-01-01T00:05:00Z');
    assert.ok(says(later, GOOD) && !says(later, BAD) && !says(undefined, GOOD));
    // The clock was put back: what the Node says of the past stays.
    const back = conditionFor(GOOD, later, new Date('2025-01-01T00:00:00Z'));
    assert.equal(back.lastTransitionTime, first.lastTransitionTime);
    const fallen = conditionFor(BAD, later, new Date('2026-01-01T00:06:00Z'));
    assert.equal(fallen.lastTransitionTime, '2026-01-01T00:06:00Z');
  });
});
