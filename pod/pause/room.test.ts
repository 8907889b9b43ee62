import assert from 'node:assert/strict';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { FsContext, MOUNT_ATTR } from '../../native/mount-api.ts';
import { makeReadOnly } from './room.ts';

describe('the room of pauses', () => {
  it('becomes read-only although a copy of the descriptor that wrote it lives a moment longer', async () => {
    using context = new FsContext('tmpfs', 'mount tmpfs for a test');
    using tree = context.mount(MOUNT_ATTR.NOSUID);
    const file = `/proc/self/fd/${tree.fd}/program`;
    const writer = openSync(file, 'w');
    writeSync(writer, 'text');
    // In the place of a child that has not executed its program yet.
    const code = `setTimeout(() => require('node:fs').closeSync(${writer}), 100)`;
    const other = new Worker(code, { eval: true, trackUnmanagedFds: false });
    await new Promise((resolve) => other.once('online', resolve));
    makeReadOnly(tree.fd);
    assert.throws(() => openSync(file, 'w'), { code: 'EROFS' });
    assert.equal(readFileSync(file, 'utf8'), 'text');
    await other.terminate();
  });
});
