import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { TreeUsage } from './disk-usage.ts';
import { UsageMeter } from './usage-meter.ts';

describe('UsageMeter', () => {
  /** A tree whose figure grows by one with each walk; a walk takes `ms`. */
  function counting(ms: number): { meter: UsageMeter; walks: () => number } {
    let walks = 0;
    const meter = new UsageMeter(async (): Promise<TreeUsage> => {
      const bytes = ++walks;
      await wait(ms);
      return { bytes, inodes: 1 };
    });
    return { meter, walks: () => walks };
  }

  it('walks once for all who ask at the same time, and not again at once', async () => {
    const { meter, walks } = counting(5);
    const all = await Promise.all(Array.from({ length: 10 }, () => meter.usage('/a')));
    assert.ok(all.every(({ bytes }) => bytes === 1));
    assert.equal((await meter.usage('/a')).bytes, 1);
    assert.equal(walks(), 1);
  });

  it('gives an older figure while a long walk goes on', async () => {
    const { meter, walks } = counting(60);
    await meter.usage('/a');
    await wait(1300);
    assert.equal((await meter.usage('/a')).bytes, 1, 'the answer does not wait');
    assert.equal(walks(), 2);
    await wait(100);
    assert.equal((await meter.usage('/a')).bytes, 2);
  });

  it('gives the new figure of a small tree', async () => {
    const { meter } = counting(1);
    await meter.usage('/a');
    await wait(600);
    assert.equal((await meter.usage('/a')).bytes, 2);
  });

  it('sums up what it knows, and forgets', async () => {
    const { meter } = counting(1);
    await meter.usage('/a');
    await meter.usage('/b');
    assert.deepEqual(meter.total(), { bytes: 3, inodes: 2 });
    meter.forget('/a');
    assert.deepEqual(meter.total(), { bytes: 2, inodes: 1 });
    const walking = meter.usage('/c');
    meter.forget('/c');
    await walking;
    assert.deepEqual(meter.total(), { bytes: 2, inodes: 1 });
  });

  it('says what cannot be walked, and tries again', async () => {
    let fails = true;
    const meter = new UsageMeter(async () => {
      if (fails) throw new Error('no');
      return { bytes: 1, inodes: 1 };
    });
    await assert.rejects(meter.usage('/a'), /no/);
    fails = false;
    assert.equal((await meter.usage('/a')).bytes, 1);
  });
});
