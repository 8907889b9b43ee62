import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { rpcOf, type RequestInput, type UnaryRpc } from '../cri/rpc.ts';

/**
 * One gRPC call by a client that keeps no time itself: the server's own deadline ends it. `timeout` is as in the header
 * `grpc-timeout`: `50m` are milliseconds. Resolves with the `grpc-status` of the answer.
 */
export async function statusOfCall<R extends UnaryRpc>(
  socket: string,
  rpc: R,
  request: RequestInput<R>,
  timeout: string,
): Promise<string> {
  const { path, request: codec } = rpcOf(rpc);
  const message = codec.encode(request as object);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
  try {
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': timeout,
    });
    const found: string[] = [];
    for (const event of ['response', 'trailers'] as const)
      call.on(event, (headers: IncomingHttpHeaders) => {
        const status = headers['grpc-status'];
        if (status !== undefined) found.push(String(status));
      });
    call.end(Buffer.concat([head, message]));
    call.resume();
    await once(call, 'close');
    return found.join(' and ');
  } finally {
    session.destroy();
  }
}
