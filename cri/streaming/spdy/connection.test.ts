import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { SpdyClient, StreamWasReset } from '../../../test/spdy-client.ts';
import { bytesOf } from '../../../test/remote-command.ts';
import { SpdyConnection } from './connection.ts';

const RST_STREAM = 3;
const PROTOCOL_ERROR = 1;

describe('SPDY connections', function () {
  this.timeout(20_000);
  let server: Server;
  let connection: SpdyConnection;
  const dial = async (windows = false): Promise<SpdyClient> => {
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    return new SpdyClient(socket, { windows });
  };

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
      connection = new SpdyConnection(socket, {
        maxStreams: 3,
        idleMs: 10_000,
        onStream(stream) {
          if (stream.headers['kind'] === 'wrong') return false;
          stream.pipe(stream);
          return true;
        },
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    connection.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('echo, answer pings, and pass over frames that they do not know', async () => {
    const client = await dial();
    client.control(42, 0, Buffer.alloc(100));
    client.settings({ 4: 100 });
    await client.ping();
    const stream = client.open({ kind: 'echo' });
    assert.deepEqual(await stream.reply, {});
    stream.end('hello');
    assert.equal((await bytesOf(stream)).toString(), 'hello');
    client.destroy();
  });

  it('refuse streams beyond their number and those that the server does not want', async () => {
    const client = await dial();
    const reset = (status: number) => (error: unknown) =>
      error instanceof StreamWasReset && error.status === status;
    await assert.rejects(bytesOf(client.open({ kind: 'wrong' })), StreamWasReset);
    const three = [1, 2, 3].map(() => client.open({ kind: 'echo' }));
    await Promise.all(three.map(({ reply }) => reply));
    await assert.rejects(bytesOf(client.open({ kind: 'echo' })), reset(3));
    three[0]!.end('x');
    assert.equal((await bytesOf(three[0])).toString(), 'x');
    const again = client.open({ kind: 'echo' });
    again.end('y');
    assert.equal((await bytesOf(again)).toString(), 'y');
    client.destroy();
  });

  const broken: Record<string, (client: SpdyClient) => void> = {
    'another version': (client) => client.raw(Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1])),
    'a huge control frame': (client) => client.raw(Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])),
    'a short control frame': (client) => client.control(RST_STREAM, 0, Buffer.alloc(3)),
    'a stream that counts down': (client) => {
      client.open({ kind: 'echo' });
      client.sendHeaders(1, 1, {}, 0);
    },
    'data on a stream that never was': (client) => client.raw(Buffer.from([0, 0, 0, 9, 0, 0, 0, 0])),
    'a header block that is none': (client) => client.control(1, 0, Buffer.alloc(40, 1)),
    'a window above its bound': (client) =>
      client.control(9, 0, Buffer.from([0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff])),
  };
  for (const [what, breakIt] of Object.entries(broken))
    it(`end with GOAWAY at ${what}`, async () => {
      const client = await dial();
      await client.ping();
      breakIt(client);
      await client.closed;
      assert.equal(client.goaway, PROTOCOL_ERROR);
      assert.ok(connection.closed.aborted);
    });

  it('cut off a client that makes them answer and does not read', async () => {
    const client = await dial();
    client.pause();
    const ping = Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => ping));
    while (!connection.closed.aborted) {
      client.raw(pings);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    client.destroy();
  });

  it('hold back what a client sends and nobody takes, and go on when it is taken', async () => {
    const client = await dial(true);
    const stream = client.open({ kind: 'echo' });
    const sent = Buffer.alloc(4 * 2 ** 20, 'z');
    stream.end(sent);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(!stream.writableFinished, 'all was sent against the window');
    assert.ok((await bytesOf(stream)).equals(sent));
    client.destroy();
  });
});
