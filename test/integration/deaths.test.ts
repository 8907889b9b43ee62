import assert from 'node:assert/strict';
import { join } from 'node:path';
import { allPids, processesOf, readProc } from '../node-processes.ts';
import {
  ContainerState,
  eventually,
  podConfig,
  runPod,
  runSandbox,
  SandboxState,
  sandboxStatusOf,
  shell,
  statusOf,
  waitForExit,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

describe('something dies that should not', () => {
  const suite = useNode();

  /** The one process of the node whose command line matches; a container that was just started may not show it yet. */
  function pidOf(pattern: RegExp): Promise<number> {
    return eventually(`one process fits ${pattern}`, 2000, async () => {
      const found = processesOf(suite.node).filter(({ command }) => pattern.test(command));
      return found.length === 1 ? found[0]!.pid : undefined;
    });
  }

  it('a container that takes more memory than its limit: the reason says so, every time', async () => {
    const { node } = suite;
    const hungry = {
      linux: {
        resources: { memoryLimitInBytes: 15n * 1024n * 1024n, memorySwapLimitInBytes: 15n * 1024n * 1024n },
      },
    };
    for (let round = 0; round < 20; round++) {
      const command = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1'];
      const { container } = await runPod(node, `hungry-${round}`, command, { container: hungry });
      const { exitCode, reason } = await waitForExit(node, container, 5000);
      assert.deepEqual([exitCode, reason], [137, 'OOMKilled']);
    }
  });

  it('a container from outside: its end is seen', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'victim', ['sleep', '4711']);
    process.kill(await pidOf(/^sleep 4711$/), 'SIGKILL');
    const { exitCode, reason } = await waitForExit(node, container, 5000);
    assert.deepEqual([exitCode, reason], [137, 'Error']);
  });

  it('pause: the sandbox is not ready, and can be stopped and removed', async () => {
    const { node } = suite;
    const sandbox = await runSandbox(node, podConfig(node, 'no-pause'));
    process.kill(await pidOf(new RegExp(`pause.*${sandbox}`)), 'SIGKILL');
    await eventually('the sandbox is not ready', 5000, async () =>
      (await sandboxStatusOf(node, sandbox)).state === SandboxState.NOTREADY ? true : undefined,
    );
  });

  it('a monitor: its container is ended and nobody invents an exit code', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'unwatched', ['sleep', '4712']);
    process.kill(await pidOf(new RegExp(`conmon.*${container}`)), 'SIGKILL');
    const { exitCode, message } = await waitForExit(node, container, 10_000);
    assert.ok(exitCode === 137 || exitCode === 255, String(exitCode));
    assert.match(message, /monitor/);
    await eventually('the process is gone', 5000, () =>
      processesOf(node).some(({ command }) => command === 'sleep 4712') ? undefined : true,
    );
  });

  it('a monitor while the daemon is away: the same', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'unwatched-alone', ['sleep', '4713']);
    await node.kill9();
    process.kill(await pidOf(new RegExp(`conmon.*${container}`)), 'SIGKILL');
    await node.start();
    const { state, exitCode } = await waitForExit(node, container, 10_000);
    assert.deepEqual([state, exitCode === 137 || exitCode === 255], [ContainerState.EXITED, true]);
  });

  it('a container whose children outlive it: they go with it', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'parent', ['sh', '-c', 'sleep 4714 & sleep 4714 & wait']);
    await shell(node, container, 'true');
    await node.client.call('StopContainer', { containerId: container, timeout: 0 });
    assert.equal((await statusOf(node, container)).state, ContainerState.EXITED);
    assert.ok(!allPids().some((pid) => readProc(pid, 'cmdline') === 'sleep\x004714\0'));
  });

  it('the link of a pod: the pod can still be removed', async () => {
    const { node } = suite;
    const sandbox = await runSandbox(node, podConfig(node, 'no-link'));
    const links = JSON.parse(await node.exec(['ip', '-json', 'link', 'show', 'type', 'veth'])) as {
      ifname: string;
    }[];
    assert.equal(links.length, 1);
    await node.exec(['ip', 'link', 'del', links[0]!.ifname]);
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
  });

  it('the bridge and the rules: the next pod brings them back', async () => {
    const { node } = suite;
    await node.exec(['ip', 'link', 'del', 'berth0']);
    await node.exec(['iptables', '-t', 'nat', '-F']);
    const pod = await runPod(node, 'again', ['sleep', '1000']);
    const { ip } = (await sandboxStatusOf(node, pod.sandbox)).network!;
    await eventually('the node reaches the pod', 5000, async () => {
      const answer = await node.exec(['busybox', 'ping', '-c', '1', '-W', '1', ip]).catch(() => undefined);
      return answer;
    });
    assert.match(await node.exec(['iptables-save', '-t', 'nat']), /MASQUERADE/);
  });

  it('the net namespace pin of a pod: the pod can still be removed', async () => {
    const { node } = suite;
    const sandbox = await runSandbox(node, podConfig(node, 'no-pin'));
    const pins = (
      await node.exec([
        'sh',
        '-c',
        `grep -o '${node.state}[^ ]*${sandbox}[^ ]* ' /proc/self/mountinfo || true`,
      ])
    )
      .trim()
      .split(/\s+/);
    for (const pin of pins.filter((path) => path.includes('netns')))
      await node.exec(['umount', join('/', pin)]);
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
  });
});
