import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { SharedWork } from './shared-work.ts';

describe('SharedWork', () => {
  const until = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

  it('runs once for all who ask meanwhile, and again for who comes later', async () => {
    const shared = new SharedWork<number, string>();
    let runs = 0;
    const heard: string[] = [];
    const work = async (_signal: AbortSignal, tell: (event: string) => void): Promise<number> => {
      await wait(5);
      tell('half');
      return ++runs;
    };
    const listener = (event: string): void => void heard.push(event);
    const both = [shared.join('k', { listener }, work), shared.join('k', { listener }, work)];
    assert.deepEqual(await Promise.all([...both, shared.join('other', {}, work)]), [1, 1, 2]);
    assert.deepEqual(heard, ['half', 'half']);
    assert.deepEqual(shared.keys(), []);
    assert.equal(await shared.join('k', {}, work), 3);
  });

  it('gives the same failure to all', async () => {
    const shared = new SharedWork<void>();
    const failing = async (): Promise<void> => {
      throw new Error('broken');
    };
    const results = await Promise.allSettled([shared.join('k', {}, failing), shared.join('k', {}, failing)]);
    assert.deepEqual(
      results.map((result) => result.status),
      ['rejected', 'rejected'],
    );
  });

  it('is told to stop by the last who leaves', async () => {
    const shared = new SharedWork<void>();
    const [one, two] = [new AbortController(), new AbortController()];
    let stopped = false;
    const work = (signal: AbortSignal): Promise<void> => until(signal).finally(() => (stopped = true));
    const first = shared.join('k', { signal: one.signal }, work);
    const second = shared.join('k', { signal: two.signal }, work);
    one.abort();
    await assert.rejects(first, { name: 'AbortError' });
    assert.equal(stopped, false);
    two.abort();
    await assert.rejects(second, { name: 'AbortError' });
    await wait(0);
    assert.equal(stopped, true);
  });

  it('starts anew for who comes while abandoned work is taken down, after it', async () => {
    const shared = new SharedWork<string>();
    const leave = new AbortController();
    const order: string[] = [];
    const abandoned = shared.join('k', { signal: leave.signal }, async (signal) => {
      await until(signal).catch(() => wait(10));
      order.push('down');
      return 'old';
    });
    await wait(0);
    leave.abort();
    await assert.rejects(abandoned);
    const fresh = await shared.join('k', {}, async () => {
      order.push('new');
      return 'new';
    });
    assert.deepEqual([fresh, order], ['new', ['down', 'new']]);
  });

  it('does not begin for who has left already', async () => {
    const shared = new SharedWork<void>();
    const never = async (): Promise<void> => assert.fail('began');
    await assert.rejects(shared.join('k', { signal: AbortSignal.abort() }, never), { name: 'AbortError' });
  });
});
