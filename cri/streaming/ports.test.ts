import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { WebSocket } from 'ws';
import { SILENT } from '../../ground/log.ts';
import { until } from '../../test/fakes/node-network.ts';
import { FakeStreams } from '../../test/fakes/streams.ts';
import { bytesOf, PortForwardClient } from '../../test/remote-command.ts';
import { StreamWasReset } from '../../test/spdy-client.ts';
import { tunnelClient } from '../../test/websocket-tunnel.ts';
import { StreamingServer } from './server.ts';

describe('streaming: ports', function () {
  this.timeout(30_000);
  let streams: FakeStreams;
  let server: StreamingServer;
  let echo: Server;
  const open = (timeouts = {}): StreamingServer =>
    new StreamingServer({ listen: '127.0.0.1:0', streams, log: SILENT, maxSessions: 50, timeouts });

  beforeEach(async () => {
    streams = new FakeStreams();
    server = open();
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const { port } = echo.address() as AddressInfo;
    streams.ports[80] = () => connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  });
  afterEach(async () => {
    await server.close();
    await new Promise((resolve) => echo.close(resolve));
    assert.equal(server.counts.sessions, 0);
  });
  const urlOf = (ports: number[] = []): Promise<string> =>
    server.url({ kind: 'portforward', sandboxId: 'p', ports });

  const ways: Record<string, () => Promise<PortForwardClient>> = {
    SPDY: async () => PortForwardClient.connect(await urlOf()),
    'SPDY with windows': async () => PortForwardClient.connect(await urlOf(), { windows: true }),
    'SPDY in WebSocket': async () => new PortForwardClient(await tunnelClient(await urlOf())),
  };
  for (const [way, dial] of Object.entries(ways))
    describe(`over ${way}`, () => {
      it('carry many connections at once, each direction to its own end', async () => {
        const client = await dial();
        const sent = Buffer.alloc(512 * 1024, 'abcdefg');
        await Promise.all(
          Array.from({ length: 30 }, async () => {
            const { data, errorText } = client.open(80);
            data.end(sent);
            assert.ok((await bytesOf(data)).equals(sent));
            assert.equal(await errorText, '');
          }),
        );
        client.client.close();
        await client.client.closed;
      });

      it('let a refused connection end alone', async () => {
        const client = await dial();
        const good = client.open(80);
        const refused = client.open(81);
        assert.match(await refused.errorText, /error forwarding port 81 to pod p: Nobody listens on port 81/);
        await assert.rejects(bytesOf(refused.data), StreamWasReset);
        good.data.end('still here');
        assert.equal((await bytesOf(good.data)).toString(), 'still here');
        client.client.close();
        await client.client.closed;
      });

      it('reset a connection that the pod resets, alone', async () => {
        const client = await dial();
        const other = client.open(80);
        streams.ports[82] = () => {
          const socket = connect((echo.address() as AddressInfo).port, '127.0.0.1');
          setTimeout(() => socket.destroy(new Error('ECONNRESET')), 20);
          return socket;
        };
        const { data, errorText } = client.open(82);
        await assert.rejects(bytesOf(data), StreamWasReset);
        assert.match(await errorText, /ECONNRESET/);
        other.data.end('x');
        assert.equal((await bytesOf(other.data)).toString(), 'x');
        client.client.close();
        await client.client.closed;
      });

      it('hang up in the pod when the client leaves', async () => {
        const client = await dial();
        const connections = Array.from({ length: 20 }, () => client.open(80));
        for (const { data } of connections) data.write('x');
        const count = (): Promise<number> =>
          new Promise((resolve) => echo.getConnections((_error, number) => resolve(number)));
        let open = 0;
        await until(() => {
          void count().then((number) => (open = number));
          return open === 20;
        });
        client.client.destroy();
        await until(() => {
          void count().then((number) => (open = number));
          return open === 0;
        });
      });
    });

  it('refuse streams without a port, and pairs that do not come', async () => {
    await server.close();
    server = open({ creationMs: 100 });
    const { client } = await PortForwardClient.connect(await urlOf());
    const wrong: Record<string, string>[] = [
      { streamType: 'data' },
      { streamType: 'data', port: '0' },
      { streamType: 'data', port: '65536' },
      { streamType: 'other', port: '80' },
    ];
    for (const headers of wrong) await assert.rejects(bytesOf(client.open(headers)), StreamWasReset);
    const lonely = client.open({ streamType: 'error', port: '80', requestID: '1' });
    assert.match((await bytesOf(lonely)).toString(), /timed out waiting for the data stream/);
    client.destroy();
  });

  it('pair the streams of clients that number no requests', async () => {
    const { client } = await PortForwardClient.connect(await urlOf());
    client
      .open({ streamType: 'error', port: '80' })
      .end()
      .on('error', () => {});
    const data = client.open({ streamType: 'data', port: '80' });
    data.end('old');
    assert.equal((await bytesOf(data)).toString(), 'old');
    client.close();
    await client.closed;
  });

  it('over WebSocket are pairs of channels, with the port in the first message', async () => {
    const socket = new WebSocket(await urlOf([80, 81]), ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    const got: Buffer[][] = [[], [], [], []];
    socket.on('message', (data: Buffer) => got[data[0]!]!.push(data.subarray(1)));
    await new Promise((resolve) => socket.once('open', resolve));
    assert.equal(socket.protocol, 'v4.channel.k8s.io');
    socket.send(Buffer.concat([Buffer.from([0]), Buffer.from('hello')]));
    await until(() => got[0]!.length === 2 && got[3]!.length === 2);
    assert.deepEqual(got[0], [Buffer.from([80, 0]), Buffer.from('hello')]);
    assert.deepEqual(got[1], [Buffer.from([80, 0])]);
    assert.deepEqual(got[2], [Buffer.from([81, 0])]);
    assert.match(String(got[3]![1]), /Nobody listens on port 81/);
    socket.close();
    await new Promise((resolve) => socket.once('close', resolve));
  });

  it('over WebSocket may stand in the query, and end the session when the pod hangs up', async () => {
    streams.ports[300] = () => {
      const socket = connect((echo.address() as AddressInfo).port, '127.0.0.1');
      socket.end('bye');
      return socket;
    };
    const socket = new WebSocket(`${await urlOf()}?ports=300`, ['v4.base64.channel.k8s.io']);
    const got: string[] = [];
    socket.on('message', (data: Buffer) => got.push(data.toString()));
    await new Promise((resolve) => socket.once('close', resolve));
    const number = Buffer.from([300 & 0xff, 1]).toString('base64');
    assert.deepEqual(got, [`0${number}`, `1${number}`, `0${Buffer.from('bye').toString('base64')}`]);
  });
});
