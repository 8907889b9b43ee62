import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RpcError } from '../../cri/client.ts';
import {
  containerConfig,
  ContainerState,
  createContainer,
  podConfig,
  removePod,
  runPod,
  runSandbox,
  shell,
  statusOf,
  type PodConfig,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

const BOMB = ['sh', '-c', 'bomb() { bomb | bomb & }; bomb; while :; do :; done'];

describe('a pod that may have few processes', () => {
  const suite = useNode();

  const few = (name: string, processes: number): PodConfig => {
    const pod = podConfig(suite.node, name);
    writeFileSync(join('/sys/fs/cgroup/pids', pod.linux!.cgroupParent!, 'pids.max'), String(processes));
    return pod;
  };

  for (const handler of ['crun', 'runc']) {
    it(`and holds a fork bomb leaves daemon and neighbours alone with ${handler}, and can be removed`, async () => {
      const { node } = suite;
      const neighbour = await runPod(node, 'neighbour', ['sleep', '1000']);
      for (const processes of [1, 2, 3, 4, 5, 6, 8, 10, 30]) {
        const pod = few(`bomb-${processes}`, processes);
        let sandbox: string | undefined;
        try {
          sandbox = await runSandbox(node, pod, handler);
          const id = await createContainer(sandbox, node, containerConfig('bomb', BOMB), pod);
          await node.client.call('StartContainer', { containerId: id });
        } catch (error) {
          // Too few to get the container going: said, with its name.
          assert.ok(error instanceof RpcError, String(error));
          assert.match(error.message, /container|sandbox/);
          assert.ok(processes < 10, `${processes} processes are enough: ${error.message}`);
        }
        assert.equal(await shell(node, neighbour.container, 'echo fine'), 'fine\n');
        if (sandbox !== undefined) await removePod(node, sandbox);
      }
      assert.equal((await statusOf(node, neighbour.container)).state, ContainerState.RUNNING);
    });
  }

  it('with a container that has used them all up can still be asked and ended', async () => {
    const { node } = suite;
    const pod = few('full', 20);
    const sandbox = await runSandbox(node, pod);
    const id = await createContainer(sandbox, node, containerConfig('bomb', BOMB), pod);
    await node.client.call('StartContainer', { containerId: id });
    await assert.rejects(
      Promise.all(
        Array.from({ length: 10 }, () =>
          node.client
            .call('ExecSync', { containerId: id, cmd: ['sh', '-c', 'sleep 1; true | true'], timeout: 5 })
            .then(({ exitCode }) => {
              if (exitCode !== 0) throw new Error('fork failed');
            }),
        ),
      ),
    );
    const { stats } = await node.client.call('PodSandboxStats', { podSandboxId: sandbox });
    // The limit is one of forks: each command may come in beyond it, since the kernel lets who is moved into a cgroup in.
    const { value: processes } = stats!.linux!.process!.processCount!;
    assert.ok(processes <= 20n + 10n, `${processes} processes`);
    await node.client.call('StopContainer', { containerId: id, timeout: 0 });
    assert.equal((await statusOf(node, id)).state, ContainerState.EXITED);
  });
});
