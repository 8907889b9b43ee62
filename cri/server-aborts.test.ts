import * as grpc from '@grpc/grpc-js';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT } from '../ground/log.ts';
import { sleep, waitOrAbort } from '../ground/wait.ts';
import { fakeRooms } from '../test/fakes/rooms.ts';
import { statusOfCall } from '../test/timeless-caller.ts';
import { Client, RpcError } from './client.ts';
import { HANDLERS } from './handlers.ts';
import type { Rpc } from './rpc.ts';
import { Server } from './server.ts';

describe('calls to the gRPC server that come to an early end', () => {
  let directory: string;
  let socket: string;
  let rooms: ReturnType<typeof fakeRooms>;
  let server: Server;
  let client: Client;
  const observed: { rpc: Rpc; code: string }[] = [];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-wire-'));
    socket = join(directory, 'berth.sock');
    rooms = fakeRooms();
    observed.length = 0;
    const observe = (rpc: Rpc, code: string): void => void observed.push({ rpc, code });
    server = await new Server({
      listen: `unix://${socket}`,
      rooms,
      handlers: HANDLERS,
      log: SILENT,
      observe,
    }).listen();
    client = new Client(socket);
  });

  afterEach(async () => {
    client.close();
    await server.close(200);
    rmSync(directory, { recursive: true });
  });

  it('tells the handler of the deadline of its caller', async () => {
    const reasons: unknown[] = [];
    rooms.pods.runSandbox = async (_config, _handler, signal?: AbortSignal) => {
      await waitOrAbort(sleep(5000), signal).catch((error: unknown) => {
        reasons.push(error);
        throw error;
      });
      return '';
    };
    // Not our client: its own timer may be the first, and all that the server sees then is a caller that leaves.
    const status = await statusOfCall(
      socket,
      'RunPodSandbox',
      { config: { metadata: { name: 'web', uid: 'u-1', namespace: 'default', attempt: 0 } } },
      '50m',
    );
    assert.equal(status, String(grpc.status.DEADLINE_EXCEEDED));
    while (server.running > 0) await sleep(5);
    assert.deepEqual(
      reasons.map((reason) => [(reason as Error).name, (reason as Error).message]),
      [['TimeoutError', 'The deadline of RunPodSandbox passed']],
    );
    assert.deepEqual(observed, [{ rpc: 'RunPodSandbox', code: 'DEADLINE_EXCEEDED' }]);
  });

  it('tells the handler when its caller leaves', async () => {
    const reasons: unknown[] = [];
    const leave = new AbortController();
    rooms.pods.execSync = async (_id, _command, _timeout, signal) => {
      leave.abort();
      await waitOrAbort(sleep(5000), signal).catch((error: unknown) => {
        reasons.push((error as Error).name);
        throw error;
      });
      throw new Error('never');
    };
    const call = client.call('ExecSync', { containerId: 'c', cmd: ['x'] }, { signal: leave.signal });
    await assert.rejects(call, { name: 'RpcError', code: 'CANCELLED' });
    while (server.running > 0) await sleep(5);
    assert.deepEqual(reasons, ['AbortError']);
    assert.deepEqual(observed, [{ rpc: 'ExecSync', code: 'CANCELLED' }]);
  });

  it('aborts nothing that it has answered', async () => {
    const signals: AbortSignal[] = [];
    rooms.pods.startContainer = async (_id: string, signal?: AbortSignal) => void signals.push(signal!);
    // The end of a call's stream is seen before the answer of the next one.
    for (const containerId of ['a', 'b', 'c']) await client.call('StartContainer', { containerId });
    assert.deepEqual(
      signals.slice(0, 2).map(({ aborted }) => aborted),
      [false, false],
    );
  });

  it('aborts what still runs when it closes', async () => {
    rooms.pods.startContainer = async (_id: string, signal?: AbortSignal) =>
      await waitOrAbort(sleep(60_000), signal);
    const call = client.call('StartContainer', { containerId: 'c' });
    const ended = assert.rejects(call, RpcError);
    while (server.running === 0) await sleep(5);
    await server.close(30);
    await ended;
    assert.equal(server.running, 0);
  });
});
