import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RpcError } from '../../cri/client.ts';
import { containerConfig, eventually, podConfig, runPod, runSandbox, shell, statusOf } from '../pods.ts';
import { useNode } from '../use-node.ts';

/** As many as there would have to be to occupy every thread that Node has for files, twice. */
const CREATES = 8;
/** What others may take while creates hang: loaded machines are slow, a daemon that waits is slower. */
const BOUND_MS = 10_000;

/**
 * A FUSE mount whose server took its device and never answers, not even the first request (fuse(4)): whoever looks at
 * the mount waits in the kernel. The server is the process itself, so its end ends the waiting.
 */
const SERVE_NOTHING = `exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead "$0"
echo mounted
exec sleep 1000`;

describe('a mount whose file server is dead', () => {
  const suite = useNode();
  const servers: ChildProcess[] = [];

  async function mountDead(path: string): Promise<ChildProcess> {
    mkdirSync(path, { recursive: true });
    const [file, ...argv] = suite.node.space.inside(['sh', '-ec', SERVE_NOTHING, path]);
    const server = spawn(file!, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(server);
    await new Promise((resolve, reject) => {
      server.stdout.once('data', resolve);
      server.once('exit', (code) => reject(new Error(`The file server ended with ${code}`)));
    });
    return server;
  }

  afterEach(() => {
    for (const server of servers.splice(0)) server.kill('SIGKILL');
  });

  it('hangs the containers that want it and nobody else', async () => {
    const { node } = suite;
    const path = join(node.directory, 'dead');
    const server = await mountDead(path);
    await suite.retake();
    const neighbour = await runPod(node, 'neighbour', ['sleep', '1000']);
    const pod = podConfig(node, 'wants');
    const sandbox = await runSandbox(node, pod);
    let answered = 0;
    const creates = Array.from({ length: CREATES }, (_, at) => {
      const mounts = [{ containerPath: '/data', hostPath: join(path, `volume-${at}`) }];
      const config = containerConfig(`wants-${at}`, ['sleep', '1000'], { mounts });
      return node.client
        .call('CreateContainer', { podSandboxId: sandbox, config, sandboxConfig: pod })
        .then(
          () => 'created' as const,
          (error: unknown) => error,
        )
        .finally(() => answered++);
    });
    await eventually('all of them wait for the mount', BOUND_MS, async () => {
      const { info } = await node.client.call('Status', { verbose: true });
      const hanging =
        Object.values(info)
          .join()
          .match(/"CreateContainer"/g)?.length ?? 0;
      return hanging === CREATES ? true : undefined;
    });

    const lists: number[] = [];
    const lives: number[] = [];
    for (let round = 0; round < 10; round++) {
      lists.push(
        await timed(async () => {
          const { containers } = await node.client.call('ListContainers', {});
          assert.ok(containers.some(({ id }) => id === neighbour.container));
          await statusOf(node, neighbour.container);
          await node.client.call('PodSandboxStatus', { podSandboxId: sandbox });
        }),
      );
      lives.push(
        await timed(async () => {
          const other = await runPod(node, `other-${round}`, ['sleep', '1000']);
          assert.equal(await shell(node, other.container, 'echo served'), 'served\n');
          await node.client.call('StopPodSandbox', { podSandboxId: other.sandbox });
          await node.client.call('RemovePodSandbox', { podSandboxId: other.sandbox });
        }),
      );
    }
    assert.equal(answered, 0, 'the creates hang all the while');
    assert.ok(Math.max(...lists) < BOUND_MS, `lists took ${lists.map(Math.round).join(', ')} ms`);
    assert.ok(Math.max(...lives) < BOUND_MS, `lives took ${lives.map(Math.round).join(', ')} ms`);

    // The same pod still serves others, and can go while its containers are being made.
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
    for (const outcome of await Promise.all(creates)) assert.ok(outcome instanceof RpcError, String(outcome));
    server.kill('SIGKILL');
    await node.exec(['umount', '-l', path]);
    await suite.retake();
  });

  it('frees the names of the containers that it hung, and serves them when it is back', async () => {
    const { node } = suite;
    const path = join(node.directory, 'comes-back');
    const server = await mountDead(path);
    const pod = podConfig(node, 'patient');
    const sandbox = await runSandbox(node, pod);
    const mounts = [{ containerPath: '/data', hostPath: join(path, 'volume') }];
    const config = containerConfig('patient', ['sleep', '1000'], { mounts });
    const request = { podSandboxId: sandbox, config, sandboxConfig: pod };
    const call = node.client.call('CreateContainer', request, { deadlineMs: 500 });
    await assert.rejects(call, { code: 'DEADLINE_EXCEEDED' });
    // The one that asks again joins it; both learn that the mount is broken when its server is gone.
    const again = assert.rejects(node.client.call('CreateContainer', request), RpcError);
    server.kill('SIGKILL');
    await again;
    await node.exec(['umount', '-l', path]);
    const { containerId } = await node.client.call('CreateContainer', request);
    await node.client.call('StartContainer', { containerId });
    assert.equal(await shell(node, containerId, 'echo alive'), 'alive\n');
    const { containers } = await node.client.call('ListContainers', {});
    assert.deepEqual(
      containers.map(({ id }) => id),
      [containerId],
    );
  });
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
