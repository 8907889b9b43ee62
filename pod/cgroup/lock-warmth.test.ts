import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { warmCgroupLock } from './lock-warmth.ts';

describe('warmCgroupLock', () => {
  it('moves nothing, and does not run twice at once', async () => {
    const before = readFileSync('/proc/self/cgroup', 'utf8');
    const first = warmCgroupLock();
    assert.equal(warmCgroupLock(), first);
    await first;
    assert.equal(readFileSync('/proc/self/cgroup', 'utf8'), before);
    await warmCgroupLock();
  });

  it('does no harm where there is nothing to write to', async () => {
    await warmCgroupLock({ version: 2, trees: ['/there/is/none'] });
  });
});
