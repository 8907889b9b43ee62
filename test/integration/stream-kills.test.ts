import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { podServer } from '../pod-server.ts';
import { eventually, runPod, shell } from '../pods.ts';
import { TRANSPORTS, type Transport } from '../streams.ts';
import { useStreams } from '../use-streams.ts';
import { webSocketForward } from '../websocket-forward.ts';

const SESSIONS = 1000;
const AT_ONCE = 20;
const FOREVER = ['sleep', '100000'];

/**
 * Each kind of session a thousand times, ended at a random moment from a random side. After each test the leak checker
 * looks for descriptors, processes and files; terminals and processes inside the container are looked for here.
 */
describe('sessions that end at any moment', function () {
  this.timeout(240_000);
  const suite = useStreams();

  /** Ends by itself, because its peer goes, or because what it is connected to goes. */
  const endings = ['itself', 'client', 'server'] as const;
  const many = async (one: (i: number, transport: Transport) => Promise<void>): Promise<void> => {
    let next = 0;
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (let i = next++; i < SESSIONS; i = next++)
        await one(i, TRANSPORTS[i % 2]!).catch((error: unknown) => failures.push(error));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    assert.deepEqual(failures, []);
  };
  const soon = (): Promise<void> => sleep(Math.random() * 40);
  const nothingInside = async (container: string): Promise<void> => {
    const look =
      'ls /dev/pts | grep -v ptmx; for i in /proc/[0-9]*; do tr "\\0" " " <$i/cmdline; grep State $i/status; done';
    let left = '';
    await eventually('no process and no terminal is left inside', 10_000, async () => {
      left = await shell(suite.node, container, `${look} 2>/dev/null; true`);
      // The container's own, the shell that looks with its supervisor, and its grep.
      return left.trim().split('\n').length <= 4 ? true : undefined;
    }).catch(() => assert.fail(`Left inside:\n${left}`));
  };

  for (const tty of [false, true])
    it(`as commands${tty ? ' with a terminal' : ''}`, async () => {
      const { container } = await runPod(suite.node, 'killed', FOREVER);
      const options = { stdin: true, tty };
      await many(async (i, transport) => {
        const ending = endings[i % 3];
        const script =
          ending === 'itself' ? 'sleep 0.0$((RANDOM%5)); echo x' : 'while echo x; do sleep 0.01; done';
        // The shell's own end, from inside: as if it was killed by the node.
        const killer = ending === 'server' ? `(sleep 0.0$((RANDOM%5)); kill -9 $$) & ` : '';
        const command = ['sh', '-c', `${killer}${script}`];
        if (transport === 'SPDY') {
          const session = await suite.streams.exec(container, command, options);
          for (const stream of [session.stdout, session.stderr]) stream?.resume();
          if (ending === 'client') {
            await soon();
            session.client.destroy();
          } else await session.errorText.catch(() => {});
          session.client.destroy();
          await session.client.closed;
        } else {
          const session = await suite.streams.webSocketExec(container, command, options);
          for (const stream of [session.stdout, session.stderr]) stream.resume();
          if (ending === 'client') await soon();
          else await session.errorText;
          session.socket.terminate();
        }
      });
      await nothingInside(container);
    });

  it('as attachments', async () => {
    const { container } = await runPod(
      suite.node,
      'attached',
      ['sh', '-c', 'while echo x; do sleep 0.01; done'],
      {
        container: { stdin: true },
      },
    );
    await many(async (i, transport) => {
      const session =
        transport === 'SPDY'
          ? await suite.streams.attach(container, { stdin: i % 3 === 0 })
          : await suite.streams.webSocketAttach(container, { stdin: i % 3 === 0 });
      session.stdout!.resume();
      await soon();
      if ('client' in session) {
        session.client.destroy();
        await session.client.closed;
      } else session.socket.terminate();
    });
    // All that is left ends from the other side.
    const last = await Promise.all(Array.from({ length: 50 }, () => suite.streams.attach(container)));
    for (const { stdout, stderr } of last) {
      stdout!.resume();
      stderr!.resume();
    }
    await suite.node.client.call('StopContainer', { containerId: container, timeout: 0 });
    await Promise.all(
      last.map(async ({ client, errorText }) => {
        await errorText.catch(() => {});
        client.destroy();
        await client.closed;
      }),
    );
  });

  it('as forwarded ports', async () => {
    const { sandbox } = await runPod(suite.node, 'forwarded', FOREVER);
    await using _echo = await podServer(suite.node, sandbox, 7300);
    await using _reset = await podServer(suite.node, sandbox, 7301, { kind: 'reset' });
    await many(async (i, transport) => {
      // Now and then nobody is there.
      const port = i % 7 === 0 ? 7999 : 7300 + (i % 2);
      if (transport === 'WebSocket') {
        const forward = await webSocketForward(await suite.streams.forwardUrl(sandbox, [port]));
        forward.on('error', () => {});
        forward.resume();
        forward.write('x');
        await soon();
        forward.destroy();
        return;
      }
      const session = await suite.streams.forward(sandbox);
      const connections = Array.from({ length: 3 }, () => session.open(port));
      for (const { data } of connections) {
        data.resume();
        data.write('x');
      }
      await soon();
      if (endings[i % 3] === 'itself') connections[0]!.data.destroy();
      session.client.destroy();
      await session.client.closed;
    });
  });
});
