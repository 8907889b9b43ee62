import assert from 'node:assert/strict';
import { fakeRooms } from '../../test/fakes/rooms.ts';
import { container, CONTAINER, sandbox, SANDBOX } from '../../test/fakes/wire.ts';
import type { Call } from '../handler.ts';
import type { RequestOf } from '../rpc.ts';
import { attach } from './attach.ts';
import { exec } from './exec.ts';
import { portForward } from './port-forward.ts';

const CALL: Call = { signal: new AbortController().signal, stopping: new AbortController().signal };

describe('Exec, Attach, PortForward', () => {
  let rooms: ReturnType<typeof fakeRooms>;
  let pod: string;
  let running: string;

  beforeEach(async () => {
    rooms = fakeRooms();
    pod = await rooms.pods.runSandbox(sandbox(SANDBOX), '');
    running = await rooms.pods.createContainer(pod, container(CONTAINER));
    await rooms.pods.startContainer(running);
  });

  const streams = { stdin: false, stdout: true, stderr: false, tty: false };
  const execOf = (changes: Partial<RequestOf<'Exec'>> = {}): RequestOf<'Exec'> => ({
    containerId: running,
    cmd: ['sh'],
    ...streams,
    ...changes,
  });

  it('give URLs for what was asked', async () => {
    await exec(rooms, execOf({ tty: true, stdin: true }), CALL);
    await attach(rooms, { containerId: running, ...streams }, CALL);
    const answer = await portForward(rooms, { podSandboxId: pod, port: [80, 443] }, CALL);
    assert.deepEqual(answer, { url: 'http://127.0.0.1:1/portforward/3' });
    assert.deepEqual(rooms.streaming.tickets, [
      {
        kind: 'exec',
        containerId: running,
        request: { command: ['sh'], ...streams, tty: true, stdin: true },
      },
      { kind: 'attach', containerId: running, request: streams },
      { kind: 'portforward', sandboxId: pod, ports: [80, 443] },
    ]);
  });

  it('refuse streams that cannot be', async () => {
    for (const changes of [{ tty: true, stderr: true }, { stdout: false }]) {
      await assert.rejects(async () => exec(rooms, execOf(changes), CALL), { kind: 'invalid' });
      const attached = { containerId: running, ...streams, ...changes };
      await assert.rejects(async () => attach(rooms, attached, CALL), { kind: 'invalid' });
    }
  });

  it('refuse what is missing or no command and no port', async () => {
    const invalid = { kind: 'invalid' };
    await assert.rejects(async () => exec(rooms, execOf({ containerId: '' }), CALL), invalid);
    await assert.rejects(async () => exec(rooms, execOf({ cmd: [] }), CALL), invalid);
    await assert.rejects(async () => exec(rooms, execOf({ cmd: ['a\0b'] }), CALL), invalid);
    await assert.rejects(async () => attach(rooms, { containerId: '', ...streams }, CALL), invalid);
    for (const port of [[0], [65_536], [-1], Array.from({ length: 101 }, () => 80)])
      await assert.rejects(async () => portForward(rooms, { podSandboxId: pod, port }, CALL), invalid);
    await assert.rejects(async () => portForward(rooms, { podSandboxId: '', port: [] }, CALL), invalid);
  });

  it('refuse what does not run, is not ready, or is not there', async () => {
    const gone = { kind: 'not-found' };
    await assert.rejects(async () => exec(rooms, execOf({ containerId: 'x' }), CALL), gone);
    await assert.rejects(async () => portForward(rooms, { podSandboxId: 'x', port: [] }, CALL), gone);
    await rooms.pods.stopContainer(running, 0);
    await rooms.pods.stopSandbox(pod);
    const wrongState = { kind: 'precondition' };
    await assert.rejects(async () => exec(rooms, execOf(), CALL), wrongState);
    await assert.rejects(async () => attach(rooms, { containerId: running, ...streams }, CALL), wrongState);
    await assert.rejects(async () => portForward(rooms, { podSandboxId: pod, port: [] }, CALL), wrongState);
    assert.deepEqual(rooms.streaming.tickets, []);
  });
});
