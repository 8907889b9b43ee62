import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { podServer } from '../pod-server.ts';
import { podConfig, runSandbox, type PodConfig } from '../pods.ts';
import { bytesOf } from '../remote-command.ts';
import { useStreams } from '../use-streams.ts';

describe('forwarded ports', function () {
  this.timeout(60_000);
  const suite = useStreams();

  const sandbox = (name: string, change?: (pod: PodConfig) => void): Promise<string> => {
    const pod = podConfig(suite.node, name);
    change?.(pod);
    return runSandbox(suite.node, pod);
  };

  it('carry bytes both ways, each direction ending on its own', async () => {
    const pod = await sandbox('ways');
    await using _server = await podServer(suite.node, pod, 7000);
    const client = await suite.streams.forward(pod);
    const { data, errorText } = client.open(7000);
    data.end('half a word');
    assert.equal((await bytesOf(data)).toString(), 'half a word');
    assert.equal(await errorText, '');
  });

  it('are many at once', async () => {
    const pod = await sandbox('many');
    await using _server = await podServer(suite.node, pod, 7001);
    const client = await suite.streams.forward(pod);
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const { data } = client.open(7001);
        const sent = Buffer.alloc(50_000, `${i},`);
        data.end(sent);
        return (await bytesOf(data)).equals(sent);
      }),
    );
    assert.ok(answers.every(Boolean));
  });

  it('reach IPv6 where nothing listens on IPv4', async () => {
    const pod = await sandbox('six');
    await using _server = await podServer(suite.node, pod, 7002, { address: '::1' });
    const { data } = (await suite.streams.forward(pod)).open(7002);
    data.end('six');
    assert.equal((await bytesOf(data)).toString(), 'six');
  });

  it('lose one pair of streams when one is refused, and keep the others', async () => {
    const pod = await sandbox('refused');
    await using _server = await podServer(suite.node, pod, 7003);
    const client = await suite.streams.forward(pod);
    const good = client.open(7003);
    good.data.write('before ');
    const refused = client.open(7999);
    const words = await refused.errorText;
    assert.match(words, /7999/);
    assert.match(words, new RegExp(pod.slice(0, 13)));
    await bytesOf(refused.data).catch(() => {});
    const later = client.open(7003);
    later.data.end('later');
    assert.equal((await bytesOf(later.data)).toString(), 'later');
    good.data.end('and after');
    assert.equal((await bytesOf(good.data)).toString(), 'before and after');
  });

  it('survive a server that resets its connections', async () => {
    const pod = await sandbox('resets');
    await using _echo = await podServer(suite.node, pod, 7004);
    await using _server = await podServer(suite.node, pod, 7005, { kind: 'reset' });
    const client = await suite.streams.forward(pod);
    for (let i = 0; i < 5; i++) {
      const { data } = client.open(7005);
      data.write('x');
      await bytesOf(data).catch(() => {});
    }
    const { data } = client.open(7004);
    data.end('alive');
    assert.equal((await bytesOf(data)).toString(), 'alive');
  });

  it("reach the node's own network for a pod that has no other", async () => {
    const pod = await sandbox('of-the-node', (config) => {
      config.linux!.securityContext!.namespaceOptions = { network: 2, pid: 1, ipc: 0 };
    });
    await using _server = await podServer(suite.node, undefined, 7006);
    const { data } = (await suite.streams.forward(pod)).open(7006);
    data.end('node');
    assert.equal((await bytesOf(data)).toString(), 'node');
  });

  it('carry much without a lost byte, though the reader is slow', async () => {
    const pod = await sandbox('much');
    await using _server = await podServer(suite.node, pod, 7007);
    const { data } = (await suite.streams.forward(pod)).open(7007);
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
  });

  it('are refused for a pod that is gone', async () => {
    const pod = await sandbox('gone');
    await suite.node.client.call('StopPodSandbox', { podSandboxId: pod });
    await assert.rejects(suite.streams.forward(pod), /not ready/);
    await assert.rejects(suite.streams.forward('0'.repeat(64)), { code: 'NOT_FOUND' });
  });
});
