import assert from 'node:assert/strict';
import { SILENT } from '../../ground/log.ts';
import { until } from '../../test/fakes/node-network.ts';
import { FakeStreams, floodBlock } from '../../test/fakes/streams.ts';
import type { CommandStatus } from '../../test/remote-command.ts';
import { WebSocketChannels } from '../../test/websocket-channels.ts';
import { StreamingServer, type StreamingOptions } from './server.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;

describe('streaming: commands over WebSocket', function () {
  this.timeout(30_000);
  let streams: FakeStreams;
  let server: StreamingServer;
  const open = (options: Partial<StreamingOptions> = {}): StreamingServer =>
    new StreamingServer({ listen: '127.0.0.1:0', streams, log: SILENT, maxSessions: 50, ...options });
  beforeEach(() => {
    streams = new FakeStreams();
    server = open();
  });
  afterEach(async () => {
    await server.close();
    assert.equal(streams.open, 0, 'commands that nobody waits for');
    assert.equal(server.counts.sessions, 0);
  });

  const urlOf = (command: string[], tty = false): Promise<string> =>
    server.url({
      kind: 'exec',
      containerId: 'c',
      request: { command, stdin: true, stdout: true, stderr: !tty, tty },
    });
  const exec = async (
    command: string[],
    protocol: string | string[],
    tty = false,
  ): Promise<WebSocketChannels> => WebSocketChannels.connect(await urlOf(command, tty), [protocol].flat());

  for (const protocol of [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
    'v4.base64.channel.k8s.io',
    'channel.k8s.io',
    'base64.channel.k8s.io',
    '',
  ])
    it(`speak ${protocol || 'channels without a name'}`, async () => {
      const json = protocol.startsWith('v');
      const protocols = protocol === '' ? [] : [protocol];
      const one = await exec(['echo', 'ä out', 'err'], protocols);
      assert.equal(one.socket.protocol, protocol);
      assert.equal(await one.closed, 1000);
      assert.deepEqual([one.text(STDOUT), one.text(STDERR)], ['ä out', 'err']);
      assert.equal(one.output[STDOUT]![0]!.length, 0, 'the empty message that says: served');
      assert.equal(one.text(ERROR), json ? '{"metadata":{},"status":"Success"}' : '');
      const failed = await exec(['exit', '42'], protocols);
      await failed.closed;
      if (json) {
        const status = JSON.parse(failed.text(ERROR)) as CommandStatus;
        assert.deepEqual(status.details?.causes, [{ reason: 'ExitCode', message: '42' }]);
      } else assert.match(failed.text(ERROR), /exit code 42/);
    });

  it('choose the newest version that both know', async () => {
    const one = await exec(['exit', '0'], ['channel.k8s.io', 'v5.channel.k8s.io', 'v4.channel.k8s.io']);
    assert.equal(one.socket.protocol, 'v5.channel.k8s.io');
    await one.closed;
  });

  it('refuse versions that nobody knows with 403', async () => {
    await assert.rejects(exec(['exit', '0'], ['v3.channel.k8s.io']), /403/);
    assert.equal(server.counts.refused.get(403), 1);
  });

  it('close the input at the signal of v5, and not at that of older versions', async () => {
    const one = await exec(['cat'], 'v5.channel.k8s.io');
    await one.send(STDIN, 'foo');
    await one.closeChannel(STDIN);
    assert.equal(await one.closed, 1000);
    assert.equal(one.text(STDOUT), 'foo');

    const old = await exec(['cat'], 'v4.channel.k8s.io');
    await old.send(STDIN, 'foo');
    await old.closeChannel(STDIN);
    await old.send(STDIN, 'bar');
    await until(() => old.text(STDOUT) === 'foobar');
    old.socket.close();
    await until(() => streams.open === 0);
  });

  for (const protocol of ['v5.channel.k8s.io', 'v4.base64.channel.k8s.io'])
    it(`carry 16 MiB both ways with ${protocol}`, async () => {
      const one = await exec(['cat'], protocol);
      for (let block = 0; block < 256; block++) await one.send(STDIN, floodBlock(block));
      if (protocol.startsWith('v5')) await one.closeChannel(STDIN);
      await until(() => one.bytes >= 16 * 2 ** 20, 20_000);
      const stdout = Buffer.concat(one.output[STDOUT]!);
      for (let block = 0; block < 256; block++)
        assert.ok(
          stdout.subarray(block * 65_536, (block + 1) * 65_536).equals(floodBlock(block)),
          `${block}`,
        );
      one.socket.close();
      await one.closed;
    });

  it('hold a command back whose client does not read', async () => {
    const one = await exec(['flood', '24'], 'v5.channel.k8s.io');
    one.keep = false;
    one.socket.pause();
    await until(() => streams.open === 1);
    const before = process.memoryUsage().arrayBuffers;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 2 ** 20);
    assert.equal(streams.open, 1, 'the flood has not come to its end');
    one.socket.resume();
    await one.closed;
    assert.ok(one.bytes > 24 * 2 ** 20);
    assert.match(one.text(ERROR), /"3"/);
  });

  it('resize the terminal', async () => {
    const one = await exec(['wait'], 'v5.channel.k8s.io', true);
    await one.send(RESIZE, '{"Width":80,');
    await one.send(RESIZE, '"Height":24}\n{"Width":0}{"nonsense"}{"Width":100,"Height":30}');
    await until(() => streams.execs[0]?.sizes.length === 2);
    assert.deepEqual(streams.execs[0]!.sizes, [
      [80, 24],
      [100, 30],
    ]);
    one.socket.terminate();
    await until(() => streams.open === 0);
  });

  it('end with their client, however it leaves', async () => {
    const leave: ((one: WebSocketChannels) => void)[] = [
      (one) => one.socket.close(),
      (one) => one.socket.terminate(),
      (one) => one.socket.send(Buffer.alloc(5 * 2 ** 20)),
    ];
    for (const how of leave) {
      const one = await exec(['wait'], 'v4.channel.k8s.io');
      await until(() => streams.open === 1);
      how(one);
      await until(() => streams.open === 0);
      await one.closed;
    }
  });

  it('end with a client that goes while the command does not read', async () => {
    const one = await exec(['wait'], 'v4.channel.k8s.io');
    await until(() => streams.open === 1);
    for (let mib = 0; mib < 8; mib++) void one.send(STDIN, Buffer.alloc(1024 * 1024)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    one.socket.terminate();
    await until(() => streams.open === 0, 15_000);
  });

  it('end when they are idle', async () => {
    await server.close();
    server = open({ timeouts: { idleMs: 200 } });
    const one = await exec(['wait'], 'v5.channel.k8s.io');
    assert.equal(await one.closed, 1001);
    await until(() => streams.open === 0);
  });
});
