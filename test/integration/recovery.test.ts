import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { STAGES, type Operation } from '../../ground/stages.ts';
import { ImageLibrary } from '../image-library.ts';
import { findLeaks, takeCensus } from '../leaks.ts';
import {
  BUSYBOX,
  containerConfig,
  ContainerState,
  createContainer,
  podConfig,
  runPod,
  runSandbox,
  SandboxState,
  sandboxStatusOf,
  shell,
  statusOf,
  waitForExit,
  type RunningPod,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

const STUBBORN = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'];

describe('the daemon dies at a stage and comes back', () => {
  const suite = useNode();

  /** One operation: what comes before it, the call itself, and what is true after it succeeded. */
  interface Attempt<T> {
    prepare(): Promise<T>;
    call(prepared: T): Promise<unknown>;
    verify(prepared: T, answer: unknown): Promise<void>;
  }

  const attempt = <T>(operation: Operation, { prepare, call, verify }: Attempt<T>): void => {
    for (const stage of STAGES[operation])
      it(`${operation} at ${stage}`, async () => {
        const { node } = suite;
        const prepared = await prepare();
        await node.restart({ BERTH_CRASH_AT: `${operation}:${stage}` });
        await assert.rejects(call(prepared), { code: 'UNAVAILABLE' });
        await Promise.race([node.ended(), sleep(5000, undefined, { ref: false })]);
        assert.ok(!node.running, 'the daemon died at the stage');
        await node.start();
        await verify(prepared, await call(prepared));
      });
  };

  const newPod = (): Promise<ReturnType<typeof podConfig>> => Promise.resolve(podConfig(suite.node, 'crash'));
  const running = (): Promise<RunningPod> => runPod(suite.node, 'crash', ['sleep', '1000']);

  attempt('RunPodSandbox', {
    prepare: newPod,
    call: (pod) => runSandbox(suite.node, pod),
    async verify(pod, id) {
      const { items } = await suite.node.client.call('ListPodSandbox', {});
      assert.deepEqual(
        items.map((item) => item.id),
        [id],
      );
      assert.equal(items[0]?.state, SandboxState.READY);
      const container = await createContainer(
        id as string,
        suite.node,
        containerConfig('after', ['sleep', '1000']),
        pod,
      );
      await suite.node.client.call('StartContainer', { containerId: container });
      assert.equal(await shell(suite.node, container, 'hostname'), 'crash\n');
    },
  });

  attempt('CreateContainer', {
    async prepare() {
      const pod = podConfig(suite.node, 'crash');
      return { pod, sandbox: await runSandbox(suite.node, pod) };
    },
    call: ({ pod, sandbox }) =>
      createContainer(sandbox, suite.node, containerConfig('c', ['sleep', '1000']), pod),
    async verify(_prepared, id) {
      const { containers } = await suite.node.client.call('ListContainers', {});
      assert.deepEqual(
        containers.map((container) => container.id),
        [id],
      );
      await suite.node.client.call('StartContainer', { containerId: id as string });
      assert.equal(await shell(suite.node, id as string, 'echo works'), 'works\n');
    },
  });

  attempt('StartContainer', {
    async prepare() {
      const pod = podConfig(suite.node, 'crash');
      const sandbox = await runSandbox(suite.node, pod);
      return createContainer(sandbox, suite.node, containerConfig('c', ['sleep', '1000']), pod);
    },
    call: (containerId) => suite.node.client.call('StartContainer', { containerId }),
    async verify(containerId) {
      assert.equal((await statusOf(suite.node, containerId)).state, ContainerState.RUNNING);
      assert.equal(await shell(suite.node, containerId, 'echo works'), 'works\n');
    },
  });

  attempt('StopContainer', {
    prepare: () => runPod(suite.node, 'crash', STUBBORN),
    call: ({ container }) => suite.node.client.call('StopContainer', { containerId: container, timeout: 1 }),
    async verify({ container }) {
      const { state, exitCode } = await statusOf(suite.node, container);
      assert.deepEqual([state, exitCode], [ContainerState.EXITED, 137]);
    },
  });

  attempt('RemoveContainer', {
    prepare: running,
    call: ({ container }) => suite.node.client.call('RemoveContainer', { containerId: container }),
    async verify({ container, sandbox }) {
      await assert.rejects(statusOf(suite.node, container), { code: 'NOT_FOUND' });
      assert.equal((await sandboxStatusOf(suite.node, sandbox)).state, SandboxState.READY);
    },
  });

  attempt('StopPodSandbox', {
    prepare: running,
    call: ({ sandbox }) => suite.node.client.call('StopPodSandbox', { podSandboxId: sandbox }),
    async verify({ container, sandbox }) {
      assert.equal((await sandboxStatusOf(suite.node, sandbox)).state, SandboxState.NOTREADY);
      assert.equal((await statusOf(suite.node, container)).state, ContainerState.EXITED);
    },
  });

  attempt('RemovePodSandbox', {
    prepare: running,
    call: ({ sandbox }) => suite.node.client.call('RemovePodSandbox', { podSandboxId: sandbox }),
    async verify() {
      assert.deepEqual((await suite.node.client.call('ListPodSandbox', {})).items, []);
      assert.deepEqual((await suite.node.client.call('ListContainers', {})).containers, []);
    },
  });

  let pulls = 0;
  attempt('PullImage', {
    async prepare() {
      const files = [{ path: `file-${++pulls}`, content: Buffer.alloc(100_000, pulls) }];
      await suite.library.push(`crash:${pulls}`, { layers: [{ files }] });
      return { image: `${ImageLibrary.address}/crash:${pulls}` };
    },
    call: async (image) => (await suite.node.client.call('PullImage', { image })).imageRef,
    async verify(image, id) {
      const { client } = suite.node;
      assert.equal((await client.call('ImageStatus', { image })).image?.id, id);
      await client.call('RemoveImage', { image });
    },
  });
});

describe('the daemon is away while its pods live on', () => {
  const suite = useNode();

  it('finds them as they are, and how they ended meanwhile', async () => {
    const { node } = suite;
    const lives = await runPod(node, 'lives', ['sleep', '1000']);
    const ends = await runPod(node, 'ends', ['sh', '-c', 'sleep 1; exit 5']);
    const before = await statusOf(node, lives.container);
    await node.kill9();
    await sleep(2500);
    await node.start();
    assert.deepEqual(await statusOf(node, lives.container), before);
    assert.equal((await sandboxStatusOf(node, lives.sandbox)).state, SandboxState.READY);
    assert.equal(await shell(node, lives.container, 'echo still here'), 'still here\n');
    const ended = await waitForExit(node, ends.container, 5000);
    assert.deepEqual([ended.exitCode, ended.reason], [5, 'Error']);
    const lasted = Number(ended.finishedAt - ended.startedAt) / 1e9;
    assert.ok(lasted > 0.5 && lasted < 2.4, `it ended when it ended, not when it was found: ${lasted} s`);
  });

  it('gives its addresses back to no one else', async () => {
    const { node } = suite;
    const first = await runSandbox(node, podConfig(node, 'first'));
    await node.kill9();
    await node.start();
    const second = await runSandbox(node, podConfig(node, 'second'));
    const [a, b] = [await sandboxStatusOf(node, first), await sandboxStatusOf(node, second)];
    assert.notEqual(a.network?.ip, b.network?.ip);
  });

  it('ends with SIGTERM and leaves them alone', async () => {
    const { node } = suite;
    const pod = await runPod(node, 'stays', ['sleep', '1000']);
    await node.restart();
    assert.equal((await statusOf(node, pod.container)).state, ContainerState.RUNNING);
    assert.equal(await shell(node, pod.container, 'echo yes'), 'yes\n');
  });

  it('starts although a record is corrupt, and serves all others', async () => {
    const { node, clean } = suite;
    const bad = await runPod(node, 'corrupt', ['sleep', '1000']);
    const good = await runPod(node, 'sound', ['sleep', '1000']);
    await node.stop();
    const database = new DatabaseSync(join(node.root, 'berth.db'));
    const { changes } = database.prepare("UPDATE records SET json = '{broken' WHERE id = ?").run(bad.sandbox);
    database.close();
    assert.ok(Number(changes) >= 1, 'there is a record of the sandbox');
    await node.start();
    assert.equal(await shell(node, good.container, 'echo served'), 'served\n');
    await assert.rejects(sandboxStatusOf(node, bad.sandbox), { code: 'NOT_FOUND' });
    await node.client.call('RemovePodSandbox', { podSandboxId: good.sandbox });
    const leaks = await settled(async () => findLeaks(clean, await takeCensus(node)));
    assert.deepEqual(
      leaks.filter((leak) => !leak.startsWith('records: quarantined ')),
      [],
    );
    const cleanup = new DatabaseSync(join(node.root, 'berth.db'));
    cleanup.exec('PRAGMA busy_timeout = 2000; DELETE FROM quarantine');
    cleanup.close();
  });

  async function settled(find: () => Promise<string[]>): Promise<string[]> {
    for (let tries = 0; ; tries++) {
      const leaks = await find();
      if (tries === 30 || leaks.every((leak) => leak.startsWith('records: quarantined '))) return leaks;
      await sleep(100);
    }
  }
});

describe('the node reboots', () => {
  const suite = useNode({ config: { network: { pod_cidr: '10.88.0.0/29' } } });

  it('and every pod of before is over, its address free again', async () => {
    const { node, library } = suite;
    const room = 5;
    const names = Array.from({ length: room }, (_, index) => `before-${index}`);
    const pods: RunningPod[] = [];
    for (const name of names) pods.push(await runPod(node, name, ['sleep', '1000']));
    await assert.rejects(runSandbox(node, podConfig(node, 'no-room')), { code: 'RESOURCE_EXHAUSTED' });
    await node.reboot();
    // As a power loss leaves a container that was removed: the disk has forgotten it, the records have not.
    const removed = pods[0]!.container;
    rmSync(join(node.root, 'images/snapshots', removed), { recursive: true });
    await library.serve(node);
    await node.start();
    const { json } = await node.client.call('Check', {});
    const { pods: ofPods, store } = JSON.parse(json) as { pods: object[]; store: { findings: object[] } };
    assert.deepEqual([ofPods, store.findings], [[], []]);
    assert.ok(await node.client.call('ListContainerStats', {}));
    const { stats } = await node.client.call('ContainerStats', { containerId: removed });
    assert.equal(stats!.attributes!.id, removed);
    for (const { sandbox, container } of pods) {
      assert.equal((await sandboxStatusOf(node, sandbox)).state, SandboxState.NOTREADY);
      const { state, exitCode, reason, startedAt, finishedAt } = await statusOf(node, container);
      assert.deepEqual([state, exitCode, reason], [ContainerState.EXITED, 255, 'Unknown']);
      assert.ok(finishedAt >= startedAt);
    }
    await node.client.call('RemoveContainer', { containerId: removed });
    for (const name of names) await runPod(node, name.replace('before', 'after'), ['sleep', '1000']);
    assert.equal(
      (await node.client.call('ListContainers', { filter: { state: { state: ContainerState.RUNNING } } }))
        .containers.length,
      room,
    );
    assert.ok(
      (await node.client.call('ImageStatus', { image: { image: BUSYBOX } })).image,
      'images outlive a reboot',
    );
  });
});
