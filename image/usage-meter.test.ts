import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { TreeUsage } from './disk-usage.ts';
import { UsageMeter } from './usage-meter.ts';

describe('UsageMeter', () => {
  /** A tree whose figure grows by one with each walk; a walk takes `ms`. */
  function counting(ms: number): { meter: UsageMeter; walks: () => number; pass: (ms: number) => void } {
    let walks = 0;
    let now = 0;
    const walk = async (): Promise<TreeUsage> => {
      const bytes = ++walks;
      await wait(1);
      now += ms;
      return { bytes, inodes: 1 };
    };
    const meter = new UsageMeter(walk, () => now);
    return { meter, walks: () => walks, pass: (more) => void (now += more) };
  }

  it('walks once for all who ask at the same time, and not again at once', async () => {
    const { meter, walks } = counting(5);
    const all = await Promise.all(Array.from({ length: 10 }, () => meter.usage('/a')));
    assert.ok(all.every(({ bytes }) => bytes === 1));
    assert.equal((await meter.usage('/a')).bytes, 1);
    assert.equal(walks(), 1);
  });

  it('gives an older figure while a long walk goes on', async () => {
    const { meter, walks, pass } = counting(60);
    await meter.usage('/a');
    pass(1100);
    await meter.usage('/a');
    assert.equal(walks(), 1, 'a walk takes a twentieth of the time at most');
    pass(200);
    assert.equal((await meter.usage('/a')).bytes, 1, 'the answer does not wait');
    assert.equal(walks(), 2);
    await wait(50);
    assert.equal((await meter.usage('/a')).bytes, 2);
  });

  it('gives the new figure of a small tree', async () => {
    const { meter, pass } = counting(1);
    await meter.usage('/a');
    pass(600);
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
