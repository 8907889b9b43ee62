import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Datagrams } from '../test/datagrams.ts';
import { DatagramSender } from './unix-datagram.ts';

describe('datagrams over unix sockets', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-dgram-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  for (const kind of ['path', 'abstract'] as const)
    it(`reach a socket with ${kind === 'path' ? 'a path' : 'an abstract name'}`, async () => {
      const address = kind === 'path' ? join(directory, 's') : `@${directory}/s`;
      using there = new Datagrams(address);
      using here = new DatagramSender(address);
      assert.equal(here.send(Buffer.from('READY=1\n')), true);
      assert.equal(here.send(Buffer.alloc(0)), true);
      await there.until((texts) => texts.length === 2);
      assert.deepEqual(there.texts, ['READY=1\n', '']);
    });

  it('do not wait for a receiver that reads nothing, and go on when it does', () => {
    const address = join(directory, 's');
    using there = new Datagrams(address);
    there.pause();
    using here = new DatagramSender(address);
    let sent = 0;
    while (here.send(Buffer.alloc(1000, 'x'))) sent++;
    assert.ok(sent > 0);
    there.drain();
    assert.equal(there.received.length, sent);
    assert.equal(here.send(Buffer.from('again')), true);
  });

  it('say that nobody listens, what is too large, and which names cannot be', () => {
    using here = new DatagramSender(join(directory, 'nobody'));
    assert.throws(() => here.send(Buffer.from('x')), { code: 'ENOENT' });
    using there = new Datagrams(join(directory, 's'));
    using large = new DatagramSender(join(directory, 's'));
    assert.throws(() => large.send(Buffer.alloc(10_000_000)), { code: 'EMSGSIZE' });
    assert.deepEqual(there.received, []);
    for (const address of ['', '@', 'relative', `/${'x'.repeat(108)}`, 'vsock:2:1234', '/a\0b'])
      assert.throws(() => new DatagramSender(address), { code: 'EINVAL' }, address);
  });
});
