import assert from 'node:assert/strict';
import { handlerUnderTest } from '../node.ts';
import {
  containerConfig,
  createContainer,
  podConfig,
  runSandbox,
  waitForExit,
  type PodConfig,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

// Another handler is looked at for what is different, not for how much there can be of it.
const CONTAINERS = handlerUnderTest() === undefined ? 2000 : 200;
const AT_ONCE = 16;

describe('exit codes', () => {
  const suite = useNode();

  it(`are right for ${CONTAINERS} containers of \`true\` and \`exit 7\`, ${AT_ONCE} at a time`, async function () {
    this.timeout(900_000);
    const { node } = suite;
    const pods = await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, index): Promise<[string, PodConfig]> => {
        const pod = podConfig(node, `codes-${index}`);
        return [await runSandbox(node, pod), pod];
      }),
    );
    let next = 0;
    let done = 0;
    const wrong: string[] = [];
    const one = async (sandbox: string, pod: PodConfig, index: number): Promise<void> => {
      const [command, expected] = index % 2 === 0 ? [['true'], 0] : [['sh', '-c', 'exit 7'], 7];
      const containerId = await createContainer(
        sandbox,
        node,
        containerConfig(`c${index}`, command, { logPath: '' }),
        pod,
      );
      await node.client.call('StartContainer', { containerId });
      const { exitCode, reason } = await waitForExit(node, containerId, 60_000);
      if (exitCode !== expected || reason !== (expected === 0 ? 'Completed' : 'Error'))
        wrong.push(`${command.join(' ')}: ${exitCode} ${reason}`);
      await node.client.call('RemoveContainer', { containerId });
      if (++done % 250 === 0) console.log(`    ${done} of ${CONTAINERS}`);
    };
    await Promise.all(
      pods.map(async ([sandbox, pod]) => {
        while (next < CONTAINERS) await one(sandbox, pod, next++);
      }),
    );
    assert.equal(done, CONTAINERS);
    assert.deepEqual(wrong, []);
  });

  for (const [what, line, code] of [
    ['a SIGKILL', 'kill -9 $$', 137],
    ['a SIGSEGV', 'kill -SEGV $$', 139],
    ['255', 'exit 255', 255],
  ] as const)
    it(`tell ${what}`, async () => {
      const { node } = suite;
      const pod = podConfig(node, 'one');
      const sandbox = await runSandbox(node, pod);
      // Process 1 of a PID namespace cannot kill itself by signal: a child does, and the shell passes it on.
      const config = containerConfig('one', ['sh', '-c', `sh -c '${line}'; exit $?`]);
      const containerId = await createContainer(sandbox, node, config, pod);
      await node.client.call('StartContainer', { containerId });
      const status = await waitForExit(node, containerId);
      assert.deepEqual([status.exitCode, status.reason], [code, 'Error']);
    });

  it('tell that the memory was used up', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'oom');
    const sandbox = await runSandbox(node, pod);
    const config = containerConfig('oom', ['sh', '-c', 'x=a; while :; do x=$x$x; done'], {
      linux: {
        resources: { memoryLimitInBytes: 32 << 20 },
        securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 } },
      },
    });
    const containerId = await createContainer(sandbox, node, config, pod);
    await node.client.call('StartContainer', { containerId });
    const { exitCode, reason } = await waitForExit(node, containerId, 60_000);
    assert.deepEqual([exitCode, reason], [137, 'OOMKilled']);
  });
});
