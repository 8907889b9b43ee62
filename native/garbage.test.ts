import assert from 'node:assert/strict';
import { cachedDataVersionTag } from 'node:v8';
import { describe, it } from 'mocha';
import { garbageCollector } from './garbage.ts';

describe('the collector of garbage', () => {
  it('collects what nothing holds', async () => {
    const collect = garbageCollector();
    const held = new WeakRef(new Array(1000).fill('x'));
    // A WeakRef holds its target until the end of the turn that made it.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    assert.equal(held.deref(), undefined);
  });

  it('leaves the flags of V8 as they were, so that compiled code still fits', () => {
    const before = cachedDataVersionTag();
    garbageCollector();
    assert.equal(cachedDataVersionTag(), before);
    assert.equal(garbageCollector(), garbageCollector());
  });
});
