import assert from 'node:assert/strict';
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DescriptorStream } from './descriptor-stream.ts';
import { closeFd, pipe2, socketpair } from './fd.ts';
import { isPtyMaster, openPty, resizePty } from './pty.ts';
import { Readiness } from './readiness.ts';
import { acceptUnix, listenUnix, receiveFd } from './unix-socket.ts';

describe('descriptors that libuv has no handle for', () => {
  let readiness: Readiness;
  before(() => (readiness = new Readiness()));
  after(() => readiness.close());

  it('are streams that hold their writer back', async () => {
    const [read, write] = pipe2();
    const source = new DescriptorStream(readiness, read);
    const sink = new DescriptorStream(readiness, write);
    const sent = Buffer.alloc(5_000_000, 'abc');
    let finished = false;
    sink.write(sent, () => (finished = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(finished, false, 'nobody reads yet');
    const chunks: Buffer[] = [];
    for await (const chunk of source as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if (finished) sink.destroy();
    }
    assert.ok(Buffer.concat(chunks).equals(sent));
    source.destroy();
  });

  it('are written to while somebody waits to read from them', async () => {
    const [near, far] = socketpair();
    const [here, there] = [new DescriptorStream(readiness, near), new DescriptorStream(readiness, far)];
    here.on('data', () => {});
    const sent = Buffer.alloc(3_000_000, 'xyz');
    here.write(sent, () => here.destroy());
    const chunks: Buffer[] = [];
    for await (const chunk of there as AsyncIterable<Buffer>) chunks.push(chunk);
    assert.ok(Buffer.concat(chunks).equals(sent));
    there.destroy();
  });

  it('tell a terminal from what only looks like one', () => {
    const { master, slavePath } = openPty();
    const [read, write] = pipe2();
    try {
      assert.match(slavePath, /^\/dev\/pts\//);
      assert.equal(isPtyMaster(master), true);
      assert.equal(isPtyMaster(read), false);
      resizePty(master, 80, 1e9);
    } finally {
      for (const fd of [master, read, write]) closeFd(fd);
    }
  });

  it('end at the errors that mean so', async () => {
    const { master, slavePath } = openPty();
    const stream = new DescriptorStream(readiness, master, { endErrors: ['EIO'] });
    const slave = openSync(slavePath, 'r+');
    writeSync(slave, 'bye\n');
    closeFd(slave);
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), 'bye\r\n');
    stream.destroy();
  });

  it('come with messages, or not', () => {
    const directory = mkdtempSync('/tmp/berth-sockets-');
    const [ours, theirs] = socketpair();
    try {
      const listener = listenUnix(join(directory, 'socket'));
      assert.equal(acceptUnix(listener), undefined);
      closeFd(listener);
      assert.equal(receiveFd(ours), undefined, 'nothing has come');
      writeSync(theirs, 'x');
      assert.equal(receiveFd(ours), undefined, 'a message without a descriptor');
      assert.throws(() => listenUnix(`/tmp/${'x'.repeat(108)}`), /more than 107 bytes/);
    } finally {
      closeFd(ours);
      closeFd(theirs);
      rmSync(directory, { recursive: true });
    }
  });
});
