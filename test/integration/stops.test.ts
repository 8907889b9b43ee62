import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import {
  addContainer,
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
  podConfig,
  runPod,
  runSandbox,
  shell,
  statusOf,
  waitForExit,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

const STUBBORN = ['sh', '-c', "trap '' TERM; while :; do sleep 0.1; done"];
/** Ends with a code of its own for each signal that it hears. */
const LISTENS = [
  'sh',
  '-c',
  "trap 'exit 15' TERM; trap 'exit 10' USR1; trap 'exit 3' QUIT; echo ready; while :; do sleep 0.05; done",
];
const SHARED_PID = { network: 0, pid: 0, ipc: 0 };
const SIGUSR1 = 29;

describe('a stop', function () {
  this.timeout(120_000);
  const suite = useNode();
  const stop = (containerId: string, timeout: number): Promise<unknown> =>
    suite.node.client.call('StopContainer', { containerId, timeout });
  const freezer = (path: string, state: 'FROZEN' | 'THAWED'): void =>
    writeFileSync(`/sys/fs/cgroup/freezer${path}/freezer.state`, state);
  const cgroupOf = async (containerId: string): Promise<string> => {
    const { info } = await suite.node.client.call('ContainerStatus', { containerId, verbose: true });
    return JSON.parse(info['cgroup']!) as string;
  };
  const ready = (containerId: string): Promise<string> => shell(suite.node, containerId, 'sleep 0.3');

  it('sends the signal of the call, else of the image, else TERM', async () => {
    const { node, library } = suite;
    const image = busyboxImage();
    const config = { ...image.config, StopSignal: 'SIGQUIT' };
    await library.push('quits:1', { ...image, config });
    const quits = `${ImageLibrary.address}/quits:1`;
    await node.client.call('PullImage', { image: { image: quits } });
    for (const [name, changes, signal, code] of [
      ['plain', {}, 23, 15],
      ['image', { image: { image: quits } }, 18, 3],
      ['both', { image: { image: quits }, stopSignal: SIGUSR1 }, SIGUSR1, 10],
    ] as const) {
      const { container } = await runPod(node, name, LISTENS, { container: changes });
      await ready(container);
      assert.equal((await statusOf(node, container)).stopSignal, signal, name);
      await stop(container, 20);
      const { exitCode, reason } = await statusOf(node, container);
      assert.deepEqual([name, exitCode, reason], [name, code, 'Error']);
    }
    await node.client.call('RemoveImage', { image: { image: quits } });
  });

  it('asked for ten times at once with less and less grace ends with the least', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'hurried', STUBBORN);
    await ready(container);
    const begun = performance.now();
    await Promise.all(Array.from({ length: 10 }, (_, at) => stop(container, at === 9 ? 1 : 100 - 10 * at)));
    assert.ok(performance.now() - begun < 15_000, 'not the grace of the first');
    const { exitCode, reason } = await statusOf(node, container);
    assert.deepEqual([exitCode, reason], [137, 'Error']);
    await stop(container, 10);
  });

  it('goes on when the monitor is killed meanwhile', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'unwatched', STUBBORN);
    await ready(container);
    const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
    const stopping = stop(container, 30);
    process.kill(Number(info['monitorPid']), 'SIGKILL');
    await stopping;
    const { state, exitCode, finishedAt } = await statusOf(node, container);
    assert.deepEqual([state, exitCode], [ContainerState.EXITED, 137]);
    assert.ok(finishedAt > 0n);
  });

  it('ends a container that somebody has frozen', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'frozen', ['sleep', '1000']);
    freezer(await cgroupOf(container), 'FROZEN');
    await stop(container, 1);
    assert.equal((await statusOf(node, container)).exitCode, 137);
  });

  it('tells of a process that cannot be killed, tries again, and holds nobody up', async () => {
    const { node } = suite;
    const { container, pod } = await runPod(node, 'unkillable', ['sleep', '1000']);
    const podCgroup = pod.linux!.cgroupParent!;
    // What is frozen from above does not end, whatever it is sent.
    freezer(podCgroup, 'FROZEN');
    try {
      await assert.rejects(stop(container, 0), {
        code: 'DEADLINE_EXCEEDED',
        details: /kill: Process \d+ has not ended \d+ ms after SIGKILL; its state is .*tried again/,
      });
      const { info } = await node.client.call('Status', { verbose: true });
      const { debts } = JSON.parse(info['census']!) as { debts: { id: string; kind: string }[] };
      assert.deepEqual(
        debts.map(({ id, kind }) => [id, kind]),
        [[container, 'container-kill']],
      );
      assert.equal((await statusOf(node, container)).state, ContainerState.RUNNING);
      const other = await runPod(node, 'other', ['sleep', '1000']);
      assert.equal(await shell(node, other.container, 'echo served'), 'served\n');
      await stop(other.container, 0);
    } finally {
      freezer(podCgroup, 'THAWED');
    }
    const { exitCode, finishedAt } = await waitForExit(node, container, 30_000);
    assert.equal(exitCode, 137);
    assert.ok(finishedAt > 0n);
    await eventually('the debt is paid', 60_000, async () => {
      const { json } = await node.client.call('Census', {});
      return (JSON.parse(json) as { debts: unknown[] }).debts.length === 0 ? true : undefined;
    });
  });

  it('takes all that a container of a shared PID namespace has left behind, and pause reaps it', async () => {
    const { node } = suite;
    const securityContext = { namespaceOptions: SHARED_PID };
    const pod = { linux: { securityContext } };
    const leaves = ['sh', '-c', 'for i in 1 2 3; do (setsid sleep 4801 &) ; done; exec sleep 4802'];
    const first = await runPod(node, 'shared', leaves, { pod, container: { linux: { securityContext } } });
    const second = await addContainer(node, first, 'second', ['sleep', '4803'], {
      linux: { securityContext },
    });
    const commands = async (): Promise<string[]> =>
      (await shell(node, second, 'ps -o args')).split('\n').filter((line) => line.startsWith('sleep 48'));
    await eventually('all run', 5000, async () => ((await commands()).length === 5 ? true : undefined));
    await stop(first.container, 0);
    assert.deepEqual(await commands(), ['sleep 4803']);
    const zombies = (): Promise<string> => shell(node, second, 'ps -o stat | grep -c Z || true');
    await eventually('no zombie is left', 5000, async () => ((await zombies()) === '0\n' ? true : undefined));
    assert.equal((await statusOf(node, second)).state, ContainerState.RUNNING);
  });

  it('kills a container that forks all the time', async () => {
    const { node } = suite;
    for (const namespaceOptions of [SHARED_PID, { ...SHARED_PID, pid: 1 }]) {
      const bomb = 'f() { while :; do (sleep 0.02; :) & done; }; trap "" TERM; f & f';
      const { container } = await runPod(node, `forks-${namespaceOptions.pid}`, ['sh', '-c', bomb], {
        pod: { linux: { securityContext: { namespaceOptions } } },
        container: { linux: { securityContext: { namespaceOptions } } },
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await stop(container, 1);
      const path = await cgroupOf(container);
      assert.equal((await statusOf(node, container)).exitCode, 137);
      await eventually('its cgroup is gone', 5000, () => {
        try {
          return readFileSync(`/sys/fs/cgroup/pids${path}/cgroup.procs`, 'utf8') === '' ? true : undefined;
        } catch {
          return true; // It is not there any more.
        }
      });
    }
  });

  it('of one attempt leaves the next one alone', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'restarts');
    const sandbox = await runSandbox(node, pod);
    const attempts: string[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const config = containerConfig('main', ['sleep', '1000'], {
        metadata: { name: 'main', attempt },
        annotations: { 'io.kubernetes.container.restartCount': String(attempt) },
        logPath: `main/${attempt}.log`,
      });
      const container = await createContainer(sandbox, node, config, pod);
      await assert.rejects(createContainer(sandbox, node, config, pod), { code: 'ALREADY_EXISTS' });
      await node.client.call('StartContainer', { containerId: container });
      if (attempt > 0) await stop(attempts[attempt - 1]!, 0);
      attempts.push(container);
    }
    const { containers } = await node.client.call('ListContainers', { filter: { podSandboxId: sandbox } });
    assert.deepEqual(
      containers
        .map(({ id, metadata, state, annotations }) => [
          metadata!.attempt,
          id,
          state,
          annotations['io.kubernetes.container.restartCount'],
        ])
        .toSorted(([a], [b]) => Number(a) - Number(b)),
      attempts.map((id, at) => [
        at,
        id,
        at === 3 ? ContainerState.RUNNING : ContainerState.EXITED,
        String(at),
      ]),
    );
  });
});
