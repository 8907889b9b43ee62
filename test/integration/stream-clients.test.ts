import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Attach, Exec, KubeConfig, PortForward, type V1Status } from '@kubernetes/client-node';
import { ApiServer } from '../api-server.ts';
import { kubectl, kubectlProgram, type KubectlResult } from '../kubectl.ts';
import { podServer } from '../pod-server.ts';
import { eventually, runPod, type ContainerConfig } from '../pods.ts';
import { bytesOf } from '../remote-command.ts';
import { useStreams } from '../use-streams.ts';

const FOREVER = ['sleep', '100000'];
const SPDY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' };

describe("other people's clients", function () {
  this.timeout(90_000);
  const suite = useStreams();
  let api: ApiServer;
  before(async () => {
    kubectlProgram();
    api = await ApiServer.open(suite.node);
  });
  after(() => api[Symbol.asyncDispose]());

  const start = async (
    name: string,
    command: string[],
    container: ContainerConfig = {},
  ): Promise<{ sandbox: string; container: string }> => {
    const pod = await runPod(suite.node, name, command, { container });
    api.pods.set(name, { ...pod, stdin: container.stdin === true, tty: container.tty === true });
    return pod;
  };

  describe('@kubernetes/client-node', () => {
    const config = (): KubeConfig => {
      const kube = new KubeConfig();
      kube.loadFromOptions({
        clusters: [{ name: 'test', server: api.url, skipTLSVerify: true }],
        users: [{ name: 'test' }],
        contexts: [{ name: 'test', cluster: 'test', user: 'test' }],
        currentContext: 'test',
      });
      return kube;
    };

    it('runs commands', async () => {
      await start('nodejs', FOREVER);
      const [out, err] = [new Collector(), new Collector()];
      const status = await new Promise<V1Status>((resolve, reject) => {
        const script = 'read a; echo "out $a"; echo err >&2; exit 5';
        const stdin = new PassThrough();
        stdin.write('line\n');
        new Exec(config())
          .exec('default', 'nodejs', 'main', ['sh', '-c', script], out, err, stdin, false, resolve)
          .catch(reject);
      });
      assert.deepEqual([out.text, err.text], ['out line\n', 'err\n']);
      assert.equal(status.status, 'Failure');
      assert.equal(status.details?.causes?.[0]?.message, '5');
      const good = await new Promise<V1Status>((resolve, reject) => {
        new Exec(config())
          .exec('default', 'nodejs', 'main', 'true', null, err, null, false, resolve)
          .catch(reject);
      });
      assert.equal(good.status, 'Success');
    });

    it('ends the input of a command', async () => {
      await start('ending', FOREVER);
      const out = new Collector();
      const stdin = new PassThrough();
      const status = new Promise<V1Status>((resolve, reject) => {
        new Exec(config())
          .exec('default', 'ending', 'main', ['wc', '-c'], out, null, stdin, false, resolve)
          .catch(reject);
      });
      stdin.end(Buffer.alloc(300_000));
      assert.equal((await status).status, 'Success');
      assert.equal(out.text.trim(), '300000');
      assert.match(api.upgrades.at(-1)!, /v5\.channel\.k8s\.io/);
    });

    it('attaches', async () => {
      await start('attached', ['sh', '-c', 'while read x; do echo "got $x"; done'], { stdin: true });
      const out = new Collector();
      const stdin = new PassThrough();
      const socket = await new Attach(config()).attach(
        'default',
        'attached',
        'main',
        out,
        null,
        stdin,
        false,
      );
      stdin.write('one\n');
      await eventually('it answers', 5000, () => (out.text === 'got one\n' ? true : undefined));
      socket.close();
    });

    it('forwards a port', async () => {
      const { sandbox } = await start('forwarded', FOREVER);
      await using _server = await podServer(suite.node, sandbox, 7100);
      const out = new Collector();
      const stdin = new PassThrough();
      const forward = new PortForward(config(), false);
      const socket = await forward.portForward('default', 'forwarded', [7100], out, null, stdin);
      stdin.write('through the port');
      await eventually('it answers', 5000, () => (out.text === 'through the port' ? true : undefined));
      if (typeof socket === 'function') socket()?.close();
      else socket.close();
    });
  });

  for (const [transport, env, protocol] of [
    ['WebSocket', {}, /^websocket v5\.channel\.k8s\.io/],
    ['SPDY', SPDY, /^spdy\/3\.1 v5\.channel\.k8s\.io/],
  ] as const)
    describe(`kubectl over ${transport}`, () => {
      const run = (...argv: string[]): Promise<KubectlResult> => kubectl(api.url, argv, env).done;

      it('runs commands, with output, errors and code', async () => {
        await start('ctl', FOREVER);
        const { stdout, stderr, code } = await run(
          'exec',
          'ctl',
          '--',
          'sh',
          '-c',
          'echo out; echo err >&2; exit 3',
        );
        assert.deepEqual([stdout.toString(), code], ['out\n', 3], stderr);
        assert.match(stderr, /^err\n/);
        assert.match(api.upgrades.at(-1)!, protocol);
        const missing = await run('exec', 'ctl', '--', 'nosuch');
        assert.notEqual(missing.code, 0);
        assert.match(missing.stderr, /nosuch.*not found/);
      });

      it('gives a command its input, to its end', async () => {
        await start('input', FOREVER);
        const child = kubectl(api.url, ['exec', '-i', 'input', '--', 'sha256sum'], env);
        child.stdin.end(Buffer.alloc(20_000_000, 'kubectl'));
        const { stdout, code, stderr } = await child.done;
        assert.equal(code, 0, stderr);
        const expected = createHash('sha256').update(Buffer.alloc(20_000_000, 'kubectl')).digest('hex');
        assert.equal(stdout.toString().slice(0, 64), expected);
      });

      it('gets all output', async () => {
        await start('output', FOREVER);
        const { stdout, code } = await run('exec', 'output', '--', 'seq', '1', '1000000');
        assert.equal(code, 0);
        assert.equal(stdout.length, 6_888_896);
      });

      it('attaches', async () => {
        await start('attach', ['sh', '-c', 'while read x; do echo "got $x"; done; echo over'], {
          stdin: true,
          stdinOnce: true,
        });
        const child = kubectl(api.url, ['attach', '-i', 'attach'], env);
        await sleep(1000);
        child.stdin.end('one\ntwo\n');
        const { stdout, code, stderr } = await child.done;
        assert.equal(code, 0, stderr);
        assert.equal(stdout.toString(), 'got one\ngot two\nover\n');
      });

      it('forwards ports, also after a refused connection', async () => {
        const { sandbox } = await start('ports', FOREVER);
        await using _server = await podServer(suite.node, sandbox, 7101);
        const local = await freePort();
        const dead = await freePort();
        const child = kubectl(api.url, ['port-forward', 'ports', `${local}:7101`, `${dead}:7999`], env);
        try {
          let said = '';
          child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
          await eventually('it listens', 20_000, () =>
            said.split('Forwarding from 127.0.0.1').length > 2 ? true : undefined,
          );
          const through = async (port: number, text: string): Promise<string> => {
            const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
            socket.on('error', () => {});
            socket.end(text);
            return (await bytesOf(socket)).toString();
          };
          assert.equal(await through(local, 'hello'), 'hello');
          const big = 'x'.repeat(3_000_000);
          assert.equal(await through(local, big), big);
          const many = Array.from({ length: 20 }, (_, i) => through(local, `number ${i}`));
          assert.deepEqual(
            await Promise.all(many),
            many.map((_, i) => `number ${i}`),
          );
        } finally {
          child.kill();
          await child.done;
        }
      });
    });
});

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A port of the machine that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
