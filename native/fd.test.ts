import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { makeRoomForFds } from './fd.ts';

function tableSize(): number {
  return Number(/^FDSize:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
}

describe('the table of descriptors', () => {
  it('grows ahead of need, and no descriptor stays', async () => {
    const before = tableSize();
    const open = readdirSync('/proc/self/fd').length;
    await makeRoomForFds(before * 2);
    assert.ok(tableSize() >= before * 2, `${tableSize()} after ${before}`);
    assert.equal(readdirSync('/proc/self/fd').length, open);
  });

  it('stays as it is above the limit', async () => {
    const before = tableSize();
    await makeRoomForFds(2 ** 30);
    assert.equal(tableSize(), before);
  });
});
