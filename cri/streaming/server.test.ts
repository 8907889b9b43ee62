import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { FakeStreams, floodBlock } from '../../test/fakes/streams.ts';
import { until } from '../../test/fakes/node-network.ts';
import { bytesOf, COMMAND_PROTOCOLS, RemoteCommand, type CommandOptions } from '../../test/remote-command.ts';
import { SpdyClient, type UpgradeRefused } from '../../test/spdy-client.ts';
import { SILENT } from '../../ground/log.ts';
import { StreamingServer, type StreamingOptions } from './server.ts';

describe('streaming: commands over SPDY', function () {
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

  const urlOf = (command: string[], options: CommandOptions = {}): Promise<string> => {
    const { stdin = false, stdout = true, tty = false, stderr = !tty } = options;
    return server.url({
      kind: 'exec',
      containerId: 'c',
      request: { command, stdin, stdout, stderr, tty },
    });
  };
  const exec = async (command: string[], options: CommandOptions = {}): Promise<RemoteCommand> =>
    RemoteCommand.connect(await urlOf(command, options), options);

  for (const [index, protocol] of COMMAND_PROTOCOLS.entries()) {
    const version = 5 - index;
    it(`speak v${version}: output, errors, and how it ended`, async () => {
      const options = { protocols: [protocol], stdin: true };
      const one = await exec(['echo', 'out', 'err'], options);
      assert.equal(one.client.protocol, protocol);
      const { stdout, stderr, error } = await one.finish();
      assert.deepEqual([stdout.toString(), stderr.toString()], ['out', 'err']);
      assert.equal(error, version >= 4 ? '{"metadata":{},"status":"Success"}' : '');
      const { error: failure } = await (await exec(['exit', '42'], options)).finish();
      const text = 'command terminated with non-zero exit code: exit code 42';
      assert.deepEqual(
        version >= 4 ? JSON.parse(failure) : failure,
        version < 4
          ? text
          : {
              metadata: {},
              status: 'Failure',
              message: text,
              reason: 'NonZeroExitCode',
              details: { causes: [{ reason: 'ExitCode', message: '42' }] },
            },
      );
    });
  }

  it('choose the newest version that both know', async () => {
    const options = { protocols: ['channel.k8s.io', 'v9.channel.k8s.io', 'v4.channel.k8s.io'] };
    const one = await exec(['exit', '0'], options);
    assert.equal(one.client.protocol, 'v4.channel.k8s.io');
    await one.finish();
  });

  it('refuse versions that nobody knows with 403 and the list', async () => {
    const refusal = await SpdyClient.connect(await urlOf(['exit']), {
      protocols: ['v9.channel.k8s.io'],
    }).then(
      () => assert.fail('was upgraded'),
      (error: unknown) => error as UpgradeRefused,
    );
    assert.equal(refusal.status, 403);
    assert.match(String(refusal.headers['x-accepted-stream-protocol-versions']), /v5.*v4.*v3.*v2.*, channel/);
    assert.match(refusal.body, /client supports v9.channel.k8s.io; server accepts v5.channel.k8s.io/);
  });

  it('refuse what is no upgrade, and tokens that are unknown or used', async () => {
    const url = await urlOf(['exit', '0']);
    assert.equal((await fetch(url)).status, 400);
    await (await RemoteCommand.connect(url)).finish();
    const again = { protocols: COMMAND_PROTOCOLS };
    await assert.rejects(SpdyClient.connect(url, again), { status: 404 });
    const other = (await urlOf(['exit', '0'])).replace('/exec/', '/attach/');
    await assert.rejects(SpdyClient.connect(other, again), { status: 404 });
    await assert.rejects(SpdyClient.connect(await urlOf(['exit']), { protocols: [] }), { status: 400 });
  });

  it('close the input when the client has', async () => {
    const one = await exec(['cat'], { stdin: true });
    one.stdin!.end('foo');
    const { stdout } = await one.finish();
    assert.equal(stdout.toString(), 'foo');
  });

  for (const windows of [false, true])
    it(`carry 16 MiB both ways, to a client ${windows ? 'with' : 'without'} windows`, async () => {
      const one = await exec(['cat'], { stdin: true, windows });
      const blocks = 256;
      void (async () => {
        for (let block = 0; block < blocks; block++)
          if (!one.stdin!.write(floodBlock(block)))
            await new Promise((resolve) => one.stdin!.once('drain', resolve));
        one.stdin!.end();
      })();
      const { stdout } = await one.finish();
      assert.equal(stdout.length, blocks * 65_536);
      for (let block = 0; block < blocks; block++)
        assert.ok(
          stdout.subarray(block * 65_536, (block + 1) * 65_536).equals(floodBlock(block)),
          `block ${block}`,
        );
    });

  for (const windows of [false, true])
    it(`hold a command back whose client does not read, ${windows ? 'with' : 'without'} windows`, async () => {
      const one = await exec(['flood', '24'], { windows });
      if (!windows) one.client.pause();
      await until(() => streams.execs.length === 1);
      const rss = process.memoryUsage().arrayBuffers;
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.ok(process.memoryUsage().arrayBuffers - rss < 32 * 2 ** 20);
      assert.equal(streams.open, 1, 'the flood has not come to its end');
      if (!windows) one.client.resume();
      const { stdout, error } = await one.finish();
      assert.equal(stdout.length, 24 * 2 ** 20);
      assert.match(error, /"42"|"3"/);
    });

  it('say the status after all output, which a slow reader gets to the last byte', async () => {
    const one = await exec(['flood', '20']);
    let statusCame = false;
    void one.errorText.then(() => (statusCame = true));
    let bytes = 0;
    for await (const chunk of one.stdout!) {
      bytes += (chunk as Buffer).length;
      if (bytes < 4 * 2 ** 20) await new Promise((resolve) => setTimeout(resolve, 1));
      if (bytes < 10 * 2 ** 20) assert.equal(statusCame, false);
    }
    assert.equal(bytes, 20 * 2 ** 20);
    assert.equal(await one.exitCode(), 3);
    one.client.close();
  });

  it('resize the terminal', async () => {
    const one = await exec(['wait'], { tty: true, stdin: true });
    one.resize(80, 24);
    one.resize(120, 40);
    await until(() => streams.execs[0]?.sizes.length === 2);
    assert.deepEqual(streams.execs[0]!.sizes, [
      [80, 24],
      [120, 40],
    ]);
    one.client.destroy();
    await until(() => streams.open === 0);
  });

  it('end with their client, however it leaves', async () => {
    const leave: ((one: RemoteCommand) => void)[] = [
      (one) => one.client.destroy(),
      (one) => one.client.close(),
      (one) => one.error.destroy(),
      (one) => one.client.raw(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
    ];
    for (const how of leave) {
      const one = await exec(['wait'], { stdin: true });
      await until(() => streams.open === 1);
      how(one);
      await until(() => streams.open === 0 && server.counts.sessions === (how === leave[2] ? 1 : 0));
      one.client.destroy();
      await until(() => server.counts.sessions === 0);
    }
  });

  it('end with a client that goes while the command does not read', async () => {
    const one = await exec(['wait'], { stdin: true });
    const flood = Buffer.alloc(1024 * 1024);
    for (let mib = 0; mib < 8; mib++) one.stdin!.write(flood);
    await until(() => streams.open === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    one.client.destroy();
    await until(() => streams.open === 0, 15_000);
  });

  it('say why a command could not be run', async () => {
    const one = await exec(['nosuch']);
    const { error } = await one.finish();
    assert.match(error, /"reason":"InternalError".*There is no nosuch/);
  });

  it('throw away what the command no longer reads', async () => {
    const one = await exec(['exit', '7'], { stdin: true });
    one.stdin!.write(Buffer.alloc(4 * 1024 * 1024));
    assert.equal(await one.exitCode(), 7);
    await one.finish();
  });

  it('do not wait for a handshake that trickles in', async () => {
    await server.close();
    server = open({ timeouts: { handshakeMs: 200 } });
    const { hostname, port, pathname } = new URL(await urlOf(['wait']));
    const socket = connect(Number(port), hostname).resume();
    const closed = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve));
    socket.write(`POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nX-Much: `);
    const trickle = setInterval(() => socket.write('x'), 20);
    try {
      await closed;
    } finally {
      clearInterval(trickle);
    }
    // It is over with the upgrade.
    const one = await exec(['wait']);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(server.counts.sessions, 1);
    one.client.destroy();
  });

  it('are counted with their streams', async () => {
    const one = await exec(['wait'], { stdin: true });
    await until(() => server.counts.streams.spdy === 4);
    one.client.destroy();
    await until(() => server.counts.sessions === 0);
    assert.equal(server.counts.streams.spdy, 0);
  });

  it('never have their tokens in the log', async () => {
    await server.close();
    const lines: string[] = [];
    const keep = (fields: object, message: string): void =>
      void lines.push(`${JSON.stringify(fields)} ${message}`);
    server = open({
      log: { debug: keep, info: keep, warn: keep, error: keep },
      timeouts: { creationMs: 100 },
      maxSessions: 1,
    });
    const urls: string[] = [];
    const next = async (command: string[]): Promise<string> => {
      urls.push(await urlOf(command));
      return urls.at(-1)!;
    };
    const options = { protocols: COMMAND_PROTOCOLS };
    // Used well, used again, refused, without streams, broken, one too many, and never used.
    await (await RemoteCommand.connect(await next(['exit', '0']))).finish();
    await assert.rejects(SpdyClient.connect(urls[0]!, options));
    await assert.rejects(SpdyClient.connect(await next(['exit']), { protocols: ['v9.channel.k8s.io'] }));
    await (
      await SpdyClient.connect(await next(['wait']), options)
    ).closed;
    const broken = await RemoteCommand.connect(await next(['wait']));
    await assert.rejects(SpdyClient.connect(await next(['wait']), options));
    broken.client.raw(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await broken.client.closed;
    await until(() => server.counts.sessions === 0);
    await next(['wait']);
    assert.ok(lines.length >= 3, 'there is a log');
    for (const url of urls) assert.ok(!lines.join('\n').includes(url.split('/').at(-1)!), lines.join('\n'));
  });

  it('wait for streams no longer than they said', async () => {
    await server.close();
    server = open({ timeouts: { creationMs: 100 } });
    const client = await SpdyClient.connect(await urlOf(['wait']), { protocols: COMMAND_PROTOCOLS });
    client.open({ streamType: 'error' }).on('error', () => {});
    await client.closed;
    assert.equal(streams.execs.length, 0);
  });

  it('end when they are idle', async () => {
    await server.close();
    server = open({ timeouts: { idleMs: 200 } });
    const one = await exec(['wait']);
    await one.client.closed;
    await until(() => streams.open === 0);
  });

  it('are bounded in number', async () => {
    await server.close();
    server = open({ maxSessions: 1 });
    const one = await exec(['wait']);
    await until(() => server.counts.sessions === 1);
    await assert.rejects(exec(['wait']), { status: 503 });
    one.client.destroy();
  });

  it('show a container, and leave it alone when the client leaves', async () => {
    const attach = async (): Promise<RemoteCommand> => {
      const request = { stdin: true, stdout: true, stderr: false, tty: true };
      const url = await server.url({ kind: 'attach', containerId: 'c', request });
      return RemoteCommand.connect(url, { stdin: true, tty: true });
    };
    const first = await attach();
    await until(() => streams.attached.length === 1);
    const [one] = streams.attached;
    first.stdin!.write('in');
    one!.output.write('out');
    const [shown] = (await once(first.stdout!, 'data')) as [Buffer];
    assert.equal(shown.toString(), 'out');
    await until(() => one!.input.readableLength === 2);
    first.client.destroy();
    await until(() => one!.detached);

    const second = await attach();
    await until(() => streams.attached.length === 2);
    streams.attached[1]!.output.end('bye');
    assert.equal((await bytesOf(second.stdout)).toString(), 'bye');
    assert.equal(await second.exitCode(), 0);
    second.client.close();
  });
});
