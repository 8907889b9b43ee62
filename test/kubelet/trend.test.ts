import assert from 'node:assert/strict';
import { grows, trendOf } from './trend.ts';

describe('a trend', () => {
  const noise = [0.3, -0.2, 0.4, -0.4, 0.1, -0.1, 0.2, -0.3, 0, 0.3, -0.2, 0.1];

  it('sees a leak through noise', () => {
    const leak = noise.map((value, phase) => 60 + value + phase * 0.3);
    assert.ok(grows(leak, 1));
    assert.ok(Math.abs(trendOf(leak).slope - 0.3) < 0.05);
  });

  it('takes noise, a jump back and a single peak for what they are', () => {
    assert.ok(
      !grows(
        noise.map((value) => 60 + value),
        1,
      ),
    );
    assert.ok(!grows([60, 60, 75, 60, 60, 61, 60, 60], 1));
    assert.ok(!grows([66, 65, 64, 63, 62, 61, 60], 1));
    assert.ok(!grows([20, 20, 20, 20, 20, 20], 0));
  });

  it('is lenient below the tolerance, and to as few values as prove nothing', () => {
    assert.ok(!grows([60, 60.1, 60.2, 60.3, 60.4, 60.5, 60.6], 1));
    assert.ok(!grows([60, 62, 64], 1));
    assert.throws(() => trendOf([1, 2]), /Three phases/);
  });

  it('knows how likely a rise is', () => {
    assert.ok(trendOf([1, 2, 3, 4, 5, 6, 7, 8]).chance < 0.001);
    assert.ok(trendOf([8, 7, 6, 5, 4, 3, 2, 1]).chance > 0.999);
    assert.equal(trendOf([5, 5, 5, 5]).chance, 1);
  });
});
