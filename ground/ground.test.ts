import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { systemClock } from './clock.ts';
import { Fault, faultAt } from './fault.ts';
import { Limit } from './limit.ts';
import { Notices } from './notices.ts';
import { inStages } from './progress.ts';
import type { StageSink } from './stages.ts';
import { Turn } from './turn.ts';
import { UndoStack } from './undo.ts';
import { inTime, sleep, waitOrAbort } from './wait.ts';

describe('Fault', () => {
  it('names subject, stage, sentence, cause and hint in this order', () => {
    const fault = new Fault('internal', 'It broke', {
      subject: 'container c1',
      stage: 'create',
      cause: new Error('why'),
      hint: 'try again',
    });
    assert.equal(fault.message, 'container c1: create: It broke: why; try again');
  });

  it('takes subject and stage from the outside once, and keeps the kind', () => {
    const inner = new Fault('not-found', 'No such image', { hint: 'pull it' });
    const named = faultAt(inner, 'container c1', 'resolve');
    assert.equal(named.kind, 'not-found');
    assert.equal(named.message, 'container c1: resolve: No such image; pull it');
    assert.equal(faultAt(named, 'sandbox s1', 'commit'), named);
  });

  it('makes deadline and cancelled of what an abort signal threw', () => {
    assert.equal(faultAt(new DOMException('late', 'TimeoutError'), 'x', 'create').kind, 'deadline');
    assert.equal(faultAt(new DOMException('gone', 'AbortError'), 'x', 'create').kind, 'cancelled');
    assert.equal(faultAt(new TypeError('bug'), 'x', 'create').kind, 'internal');
  });
});

describe('UndoStack', () => {
  it('undoes in reverse order, goes on after a failure, and says which failed', async () => {
    const order: string[] = [];
    const undo = new UndoStack();
    undo.push('first', () => void order.push('first'));
    undo.push('second', () => {
      throw new Error('stuck');
    });
    undo.push('third', async () => void order.push('third'));
    const failed = await undo.rollback();
    assert.deepEqual(order, ['third', 'first']);
    assert.deepEqual(
      failed.map(({ name }) => name),
      ['second'],
    );
    assert.deepEqual(await undo.rollback(), []);
  });

  it('forgets what is kept', async () => {
    const undo = new UndoStack();
    undo.push('never', () => assert.fail('undone'));
    undo.keep();
    assert.deepEqual(await undo.rollback(), []);
  });
});

describe('Limit', () => {
  it('takes another size while it is in use', async () => {
    const limit = new Limit(1);
    const ends: (() => void)[] = [];
    const hold = (): Promise<void> => limit.run(() => new Promise<void>((resolve) => ends.push(resolve)));
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const all = [hold(), hold(), hold(), hold()];
    await turn();
    assert.deepEqual([ends.length, limit.waiting], [1, 3]);
    limit.resize(3);
    await turn();
    assert.deepEqual([ends.length, limit.waiting], [3, 1]);
    limit.resize(1);
    ends[0]!();
    ends[1]!();
    await Promise.all(all.slice(0, 2));
    assert.deepEqual([ends.length, limit.waiting], [3, 1], 'one holds its place still');
    ends[2]!();
    await all[2];
    await turn();
    assert.deepEqual([ends.length, limit.waiting], [4, 0]);
    ends[3]!();
    await all[3];
  });

  it('lets no more than its size in at once, in order of arrival', async () => {
    const limit = new Limit(2);
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3, 4].map((turn) =>
        limit.run(async () => {
          most = Math.max(most, ++inside);
          order.push(turn);
          await sleep(1);
          inside--;
        }),
      ),
    );
    assert.equal(most, 2);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  it('takes an aborted waiter out of the queue', async () => {
    const limit = new Limit(1);
    const held = Promise.withResolvers<void>();
    const first = limit.run(() => held.promise);
    const abort = new AbortController();
    const second = limit.run(() => assert.fail('ran'), abort.signal);
    abort.abort(new Error('left'));
    await assert.rejects(second, /left/);
    assert.equal(limit.waiting, 0);
    held.resolve();
    await first;
    await limit.run(() => {});
  });
});

describe('waitOrAbort', () => {
  it('gives a late value back', async () => {
    const work = Promise.withResolvers<string>();
    const abort = new AbortController();
    const late: string[] = [];
    const waiting = waitOrAbort(work.promise, abort.signal, (value) => late.push(value));
    abort.abort(new Error('left'));
    await assert.rejects(waiting, /left/);
    work.resolve('gift');
    await sleep(1);
    assert.deepEqual(late, ['gift']);
  });
});

describe('inTime', () => {
  it('aborts what takes too long, and nothing that has ended', async () => {
    const slow = inTime(1, (signal) => sleep(10_000, signal));
    await assert.rejects(slow, { name: 'TimeoutError' });
    let kept: AbortSignal | undefined;
    const quick = await inTime(1, async (signal) => {
      kept = signal;
      return 'done';
    });
    await sleep(10);
    assert.deepEqual([quick, kept?.aborted], ['done', false]);
  });
});

describe('Turn', () => {
  it('lets others have theirs when a millisecond has passed', async () => {
    const turn = new Turn();
    let others = 0;
    setImmediate(() => others++);
    for (const begun = performance.now(); performance.now() - begun < 2;);
    await turn.rest();
    assert.equal(others, 1);
  });
});

describe('inStages', () => {
  it('tells the sink each stage and the outcome, and names them in what is thrown', async () => {
    const seen: string[] = [];
    const sink: StageSink = {
      enter: (operation, id, stage) => void seen.push(`${operation} ${id} ${stage}`),
      leave: (operation, id, outcome) => void seen.push(`${operation} ${id} ${outcome}`),
    };
    const failing = inStages(sink, 'StartContainer', 'c1', 'container c1', async (at) => {
      await at.stage('start', () => {
        throw new Error('no');
      });
    });
    await assert.rejects(failing, /^Fault: container c1: start: no$/);
    assert.deepEqual(seen, ['StartContainer c1 start', 'StartContainer c1 failed']);
  });
});

describe('systemClock', () => {
  it('never gives the same nanosecond twice', () => {
    const times = Array.from({ length: 1000 }, () => systemClock.nowNs());
    assert.equal(new Set(times).size, times.length);
    assert.ok(times.every((time, i) => i === 0 || time > times[i - 1]!));
    assert.ok(Math.abs(Number(times[0]! / 1_000_000n) - Date.now()) < 1000);
  });
});

describe('Notices', () => {
  it('keeps the latest, and the same only once', () => {
    const notices = new Notices();
    for (let i = 0; i < 40; i++) notices.add('no-room', `image ${i}`);
    notices.add('no-room', 'image 20');
    const kept = notices.list();
    assert.equal(kept.length, 32);
    assert.deepEqual([kept[0]!.message, kept.at(-1)!.message, kept.at(-1)!.id], ['image 8', 'image 20', 41]);
    assert.equal(kept.filter(({ message }) => message === 'image 20').length, 1);
    notices.add('store-repaired', 'image 20');
    assert.equal(notices.list().at(-2)!.kind, 'no-room');
  });
});
