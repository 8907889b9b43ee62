import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, podConfig, runPod, runSandbox, shell } from '../pods.ts';
import { bytesOf } from '../remote-command.ts';
import { NodeStreams } from '../streams.ts';
import { useNode } from '../use-node.ts';

const NETWORK_OF_NODE = { network: 2, pid: 1, ipc: 0 };

describe('forwarded ports', function () {
  this.timeout(60_000);
  const suite = useNode();
  let streams: NodeStreams;
  before(() => (streams = new NodeStreams(suite.node)));
  after(() => streams[Symbol.asyncDispose]());

  /** A pod that answers what it is told, at this port of this address. */
  const echoPod = async (
    port: number,
    address = '127.0.0.1',
  ): Promise<{ sandbox: string; container: string }> => {
    const command = ['nc', '-lk', '-s', address, '-p', String(port), '-e', 'cat'];
    const pod = await runPod(suite.node, 'echo', command);
    await eventually('it listens', 5000, async () =>
      (await shell(suite.node, pod.container, 'netstat -tln')).includes(`:${port} `) ? true : undefined,
    );
    return pod;
  };

  it('carry bytes both ways, each direction ending on its own', async () => {
    const { sandbox } = await echoPod(7000);
    const client = await streams.forward(sandbox);
    const { data, errorText } = client.open(7000);
    data.end('half a word');
    assert.equal((await bytesOf(data)).toString(), 'half a word');
    assert.equal(await errorText, '');
    client.client.close();
  });

  it('are many at once', async () => {
    const { sandbox } = await echoPod(7001);
    const client = await streams.forward(sandbox);
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const { data } = client.open(7001);
        const sent = Buffer.alloc(50_000, `${i},`);
        data.end(sent);
        return (await bytesOf(data)).equals(sent);
      }),
    );
    assert.ok(answers.every(Boolean));
    client.client.close();
  });

  it('reach IPv6 where nothing listens on IPv4', async () => {
    const { sandbox } = await echoPod(7002, '::1');
    const client = await streams.forward(sandbox);
    const { data } = client.open(7002);
    data.end('six');
    assert.equal((await bytesOf(data)).toString(), 'six');
    client.client.close();
  });

  it('lose one pair of streams when one is refused, and keep the others', async () => {
    const { sandbox } = await echoPod(7003);
    const client = await streams.forward(sandbox);
    const good = client.open(7003);
    good.data.write('before ');
    const refused = client.open(7999);
    const words = await refused.errorText;
    assert.match(words, /7999/);
    assert.match(words, new RegExp(sandbox.slice(0, 13)));
    await bytesOf(refused.data).catch(() => {});
    const later = client.open(7003);
    later.data.end('later');
    assert.equal((await bytesOf(later.data)).toString(), 'later');
    good.data.end('and after');
    assert.equal((await bytesOf(good.data)).toString(), 'before and after');
    client.client.close();
  });

  it('survive a server that resets its connections', async () => {
    const { sandbox, container } = await echoPod(7004);
    const client = await streams.forward(sandbox);
    for (let i = 0; i < 5; i++) {
      const { data } = client.open(7004);
      data.write('x');
      await sleep(50);
      // The server's process dies with unread input: its kernel resets the connection.
      data.write(Buffer.alloc(200_000));
      await shell(suite.node, container, 'killall -STOP cat; killall -9 cat; true');
      await bytesOf(data).catch(() => {});
    }
    const { data } = client.open(7004);
    data.end('alive');
    assert.equal((await bytesOf(data)).toString(), 'alive');
    client.client.close();
  });

  it("reach the node's own network for a pod that has no other", async () => {
    const { node } = suite;
    const pod = podConfig(node, 'of-the-node', {
      linux: { securityContext: { namespaceOptions: NETWORK_OF_NODE } },
    });
    pod.linux!.cgroupParent = podConfig(node, 'of-the-node').linux!.cgroupParent;
    const sandbox = await runSandbox(node, pod);
    const server = inNode(['busybox', 'nc', '-l', '-s', '127.0.0.1', '-p', '7005', '-e', 'cat']);
    try {
      await eventually('it listens', 5000, async () =>
        (await node.exec(['busybox', 'netstat', '-tln'])).includes(':7005 ') ? true : undefined,
      );
      const client = await streams.forward(sandbox);
      const { data } = client.open(7005);
      data.end('node');
      assert.equal((await bytesOf(data)).toString(), 'node');
      client.client.close();
    } finally {
      server.kill('SIGKILL');
      await new Promise((resolve) => server.once('exit', resolve));
    }
  });

  it('carry much without a lost byte, though the reader is slow', async () => {
    const { sandbox } = await echoPod(7006);
    const client = await streams.forward(sandbox);
    const { data } = client.open(7006);
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    const writing = (async () => {
      for (let i = 0; i < 400; i++) {
        const chunk = Buffer.alloc(100_000, i);
        sent.update(chunk);
        if (!data.write(chunk)) await new Promise((resolve) => data.once('drain', resolve));
      }
      data.end();
    })();
    let chunks = 0;
    for await (const chunk of data as AsyncIterable<Buffer>) {
      received.update(chunk);
      if (chunks++ % 200 === 0) await sleep(20);
    }
    await writing;
    assert.equal(received.digest('hex'), sent.digest('hex'));
    client.client.close();
  });

  it('are refused for a pod that is gone', async () => {
    const { sandbox } = await echoPod(7007);
    await suite.node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    await assert.rejects(streams.forward(sandbox), /not ready/);
    await assert.rejects(streams.forward('0'.repeat(64)), { code: 'NOT_FOUND' });
  });

  function inNode(argv: string[]): ChildProcess {
    const [file, ...rest] = suite.node.space.inside(argv);
    return spawn(file!, rest, { stdio: 'ignore' });
  }
});
