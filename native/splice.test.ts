import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { closeFd, growPipe, O, pendingBytes, pipe2 } from './fd.ts';
import { sendFromPipe } from './splice.ts';

const HEAD = Buffer.from('head');
const SIZE = 256 * 1024;

describe('what stands in a pipe', () => {
  let read: number;
  let write: number;
  let near: Socket;
  let far: Socket;
  let undo: (() => void)[];

  beforeEach(async () => {
    [read, write] = pipe2(O.CLOEXEC | O.NONBLOCK);
    undo = [() => closeFd(read), () => closeFd(write)];
    growPipe(read, SIZE);
    const server = createServer().listen(0, '127.0.0.1');
    undo.push(() => server.close());
    await once(server, 'listening');
    near = connect((server.address() as { port: number }).port, '127.0.0.1');
    [far] = (await once(server, 'connection')) as [Socket];
    undo.push(
      () => near.destroy(),
      () => far.destroy(),
    );
    near.on('error', () => {});
  });
  afterEach(() => undo.forEach((one) => one()));

  const fill = (round: number): Buffer => {
    const bytes = Buffer.alloc(SIZE, `round ${round} `);
    assert.equal(writeSync(write, bytes), SIZE);
    return bytes;
  };

  it('reaches a socket in order, also when its reader is slow', async () => {
    const arrived: Buffer[] = [];
    far.on('data', (chunk: Buffer) => arrived.push(chunk)).pause();
    const sent: Buffer[] = [];
    const seen = { moved: 0, late: 0 };
    // Far more than the kernel keeps for a reader that does not read.
    for (let round = 0; round < 64; round++) {
      const bytes = fill(round);
      sent.push(HEAD, bytes);
      await new Promise<void>((resolve) => {
        if (sendFromPipe(near, HEAD, read, SIZE, resolve, round % 2 === 0)) seen.moved++;
        else {
          // Not even the head had room.
          assert.equal(readSync(read, bytes), SIZE);
          near.write(HEAD);
          near.write(bytes, () => resolve());
        }
        if (near.writableLength === 0) return;
        seen.late++;
        assert.equal(pendingBytes(read), 0);
        assert.equal(
          sendFromPipe(near, HEAD, read, 0, () => {}),
          false,
          'something waits before it',
        );
        far.resume();
      });
      far.pause();
    }
    near.end();
    far.resume();
    await once(far, 'end');
    assert.ok(seen.moved > 0 && seen.late > 0, JSON.stringify(seen));
    assert.ok(Buffer.concat(arrived).equals(Buffer.concat(sent)));
  });

  it('stays there for who is gone, or is no socket of the kernel', () => {
    fill(0);
    const done = (): void => assert.fail('nothing was sent');
    assert.equal(sendFromPipe(new PassThrough(), HEAD, read, SIZE, done), false);
    near.destroy();
    assert.equal(sendFromPipe(near, HEAD, read, SIZE, done), false);
    assert.equal(pendingBytes(read), SIZE);
  });
});
