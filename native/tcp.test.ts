import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { congestionControl, descriptorOf, withoutPacing } from './tcp.ts';

describe('sockets on loopback', () => {
  it('are not paced, where their server said so before', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    withoutPacing(descriptorOf(server)!);
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    assert.equal(congestionControl(descriptorOf(socket)!), 'reno');
    client.destroy();
    socket.destroy();
    server.close();
    await once(server, 'close');
    assert.equal(descriptorOf(server), undefined);
  });
});
