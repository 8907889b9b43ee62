import assert from 'node:assert/strict';
import { EventLoopWatch } from './event-loop.ts';

describe('the watch on the event loop', () => {
  it('tells how late it is since it was last asked, and counts what a caller notices', () => {
    let now = 1000;
    const watch = new EventLoopWatch(() => now);
    watch.start();
    watch.close();
    const turn = (lateMs: number): void => {
      now += 25 + lateMs;
      watch.sample();
    };
    for (const lateMs of [1, 2, 1, 80, 1, 50, 2]) turn(lateMs);
    assert.equal(watch.stalls, 1);
    const { maxSeconds, p50Seconds, p99Seconds } = watch.take();
    const near = (seconds: number, ms: number): boolean => Math.abs(seconds * 1000 - ms) < ms / 100;
    assert.ok(near(maxSeconds, 80) && near(p50Seconds, 2) && near(p99Seconds, 80));
    assert.deepEqual(watch.take(), { maxSeconds: 0, p50Seconds: 0, p99Seconds: 0 });
    turn(-0.3);
    turn(3);
    assert.ok(near(watch.take().maxSeconds, 3));
    turn(51);
    assert.equal(watch.stalls, 2);
  });
});
