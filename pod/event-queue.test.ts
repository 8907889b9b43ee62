import assert from 'node:assert/strict';
import { EventQueue } from './event-queue.ts';

describe('a queue of events', () => {
  /** Each item counts as many bytes as it says. */
  const queueOf = (items: number, bytes = Infinity): { queue: EventQueue<number>; drops: number[] } => {
    const drops: number[] = [];
    const bounds = { items, bytes, sizeOf: (item: number) => item };
    return { queue: new EventQueue<number>(bounds, (dropped) => drops.push(dropped)), drops };
  };

  it('makes nothing when nobody listens', () => {
    queueOf(1).queue.publish(() => assert.fail('made'));
  });

  it('gives everything to everybody, from the subscription on, in order', async () => {
    const { queue } = queueOf(10);
    queue.publish(() => 0);
    const stop = new AbortController();
    const [a, b] = [queue.subscribe(stop.signal), queue.subscribe(stop.signal)];
    for (const n of [1, 2, 3]) queue.publish(() => n);
    for (const reader of [a, b])
      for (const n of [1, 2, 3]) assert.deepEqual(await reader.next(), { value: n, done: false });
    const late = a.next();
    queue.publish(() => 4);
    assert.equal((await late).value, 4);
    const never = a.next();
    stop.abort();
    assert.equal((await never).done, true);
    assert.equal((await b.next()).done, true);
    assert.equal(queue.subscribers, 0);
  });

  it('drops the oldest of who is slow, counts them, and says so at the first and at the end', async () => {
    const { queue, drops } = queueOf(2);
    const slow = queue.subscribe(new AbortController().signal);
    for (const n of [1, 2, 3, 4, 5]) queue.publish(() => n);
    assert.deepEqual(drops, [1]);
    assert.equal(queue.dropped, 3);
    assert.equal((await slow.next()).value, 4);
    assert.equal((await slow.next()).value, 5);
    await slow.return();
    assert.deepEqual(drops, [1, 3]);
    assert.equal(queue.subscribers, 0);
  });

  it('holds no more bytes than it may, and at least the newest item', async () => {
    const { queue } = queueOf(100, 10);
    const slow = queue.subscribe(new AbortController().signal);
    for (const bytes of [4, 5, 3]) queue.publish(() => bytes);
    assert.equal(queue.dropped, 1);
    assert.equal((await slow.next()).value, 5);
    // Three are left: what was read does not count any more.
    queue.publish(() => 7);
    assert.equal(queue.dropped, 1);
    queue.publish(() => 50);
    assert.equal(queue.dropped, 3);
    assert.equal((await slow.next()).value, 50);
    queue.publish(() => 10);
    assert.equal(queue.dropped, 3);
    assert.equal((await slow.next()).value, 10);
  });

  it('forgets who leaves before the first read, or was never there', async () => {
    const { queue } = queueOf(2);
    await queue.subscribe(new AbortController().signal).return();
    assert.equal(queue.subscribers, 0);
    const gone = queue.subscribe(AbortSignal.abort());
    assert.equal(queue.subscribers, 0);
    assert.equal((await gone.next()).done, true);
  });
});
