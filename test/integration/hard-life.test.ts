import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  addContainer,
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
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

describe('containers and the worst that can happen to them', function () {
  this.timeout(120_000);
  const suite = useNode();

  /** Pids from the verbose status. */
  const pidsOf = async (containerId: string): Promise<{ pid: number; monitorPid: number }> => {
    const { info } = await suite.node.client.call('ContainerStatus', { containerId, verbose: true });
    return { pid: Number(info['pid']), monitorPid: Number(info['monitorPid']) };
  };
  const killPause = async (podSandboxId: string): Promise<void> => {
    const { info } = await suite.node.client.call('PodSandboxStatus', { podSandboxId, verbose: true });
    process.kill(Number(info['pid']), 'SIGKILL');
    await eventually('the sandbox is not ready', 5000, async () =>
      (await sandboxStatusOf(suite.node, podSandboxId)).state === SandboxState.NOTREADY ? true : undefined,
    );
  };

  it('all monitors die at once: every container ends, and nobody invents a code', async () => {
    const { node } = suite;
    const pods: RunningPod[] = [];
    for (let at = 0; at < 20; at++) pods.push(await runPod(node, `unwatched-${at}`, ['sleep', '1000']));
    const monitors = await Promise.all(
      pods.map(async ({ container }) => (await pidsOf(container)).monitorPid),
    );
    for (const pid of monitors) process.kill(pid, 'SIGKILL');
    for (const { container } of pods) {
      const { exitCode, startedAt, finishedAt, message } = await waitForExit(node, container, 20_000);
      assert.ok(exitCode === 137 || exitCode === 255, String(exitCode));
      assert.ok(startedAt > 0n && finishedAt > startedAt);
      assert.match(message, /monitor/);
    }
  });

  it('the daemon dies between create and start: what was created can be started, or removed', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'between');
    const sandbox = await runSandbox(node, pod);
    const [started, removed] = await Promise.all(
      ['one', 'two'].map((name) =>
        createContainer(sandbox, node, containerConfig(name, ['sleep', '1000']), pod),
      ),
    );
    await node.kill9();
    await node.start();
    await node.client.call('StartContainer', { containerId: started! });
    assert.equal(await shell(node, started!, 'echo works'), 'works\n');
    const { pid } = await pidsOf(removed!);
    await node.client.call('RemoveContainer', { containerId: removed! });
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'its process waits no more');
  });

  it('an exit record is torn: the code is unknown, the times are not, and it can be removed', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'torn', ['sh', '-c', 'sleep 1; exit 3']);
    await node.kill9();
    await sleep(2500);
    truncateSync(join(node.state, 'exits', container));
    await node.start();
    const { exitCode, reason, createdAt, startedAt, finishedAt } = await waitForExit(node, container);
    assert.deepEqual([exitCode, reason], [255, 'Unknown']);
    assert.ok(0n < createdAt && createdAt <= startedAt && startedAt < finishedAt);
    await node.client.call('StopContainer', { containerId: container, timeout: 1 });
    await node.client.call('RemoveContainer', { containerId: container });
  });

  it('records are damaged in many ways: no time is zero, all can be stopped and removed, no twin runs', async () => {
    const { node } = suite;
    const damages = [
      "json = ''",
      "json = 'null'",
      'json = substr(json, 1, length(json) / 2)',
      "json = json_remove(json, '$.createdAtNs')",
      "json = json_set(json, '$.phase', 'dreaming')",
      "json = json_remove(json, '$.config')",
    ];
    const pods: RunningPod[] = [];
    for (const at of damages.keys()) pods.push(await runPod(node, `damaged-${at}`, ['sleep', '1000']));
    const before = await Promise.all(pods.map(({ container }) => pidsOf(container)));
    await node.stop();
    const database = new DatabaseSync(join(node.root, 'berth.db'));
    for (const [at, damage] of damages.entries())
      database
        .prepare(`UPDATE records SET ${damage} WHERE kind = 'containers' AND id = ?`)
        .run(pods[at]!.container);
    await node.start();
    const { containers } = await node.client.call('ListContainers', {});
    for (const { id } of containers) {
      const { createdAt, startedAt, state } = await statusOf(node, id);
      assert.ok(createdAt > 0n && startedAt > 0n && state !== ContainerState.UNKNOWN);
    }
    for (const { container, sandbox } of pods) {
      await node.client.call('StopContainer', { containerId: container, timeout: 0 });
      await node.client.call('RemoveContainer', { containerId: container });
      assert.equal((await sandboxStatusOf(node, sandbox)).state, SandboxState.READY);
    }
    for (const { pid } of before)
      await eventually(`process ${pid} is gone`, 10_000, () => {
        try {
          process.kill(pid, 0);
          return undefined;
        } catch {
          return true; // ESRCH
        }
      });
    database.exec('PRAGMA busy_timeout = 2000; DELETE FROM quarantine');
    database.close();
    await node.restart();
  });

  it('SIGHUP and SIGPIPE rain while pods come and go', async () => {
    const { node } = suite;
    const { pid } = node;
    let raining = true;
    const rain = (async () => {
      for (let drop = 0; raining; drop++) {
        process.kill(pid, drop % 2 === 0 ? 'SIGHUP' : 'SIGPIPE');
        await sleep(2);
      }
    })();
    try {
      for (let at = 0; at < 5; at++) {
        const { container, sandbox } = await runPod(node, `rain-${at}`, ['sleep', '1000']);
        assert.equal(await shell(node, container, 'echo dry'), 'dry\n');
        await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
      }
    } finally {
      raining = false;
      await rain;
    }
    assert.equal(node.pid, pid);
    assert.ok(node.running);
  });

  it('pause is gone: nothing is created or started in its sandbox any more', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'no-pause');
    const sandbox = await runSandbox(node, pod);
    const early = await createContainer(sandbox, node, containerConfig('early', ['sleep', '1000']), pod);
    await killPause(sandbox);
    const refusal = { code: 'FAILED_PRECONDITION', details: /not ready/ };
    await assert.rejects(createContainer(sandbox, node, containerConfig('late', ['true']), pod), refusal);
    await assert.rejects(node.client.call('StartContainer', { containerId: early }), refusal);
    await node.client.call('RemoveContainer', { containerId: early });
  });

  it('one create of a pod is slow: its siblings are served meanwhile', async () => {
    const { node } = suite;
    const first = await runPod(node, 'siblings', ['sleep', '1000'], { handler: 'faulty' });
    node.faults.order('create', 'once sleep 4');
    let done = false;
    const slow = createContainer(first.sandbox, node, containerConfig('slow', ['true']), first.pod).then(
      () => (done = true),
    );
    await sleep(200);
    assert.equal(await shell(node, first.container, 'echo served'), 'served\n');
    const sibling = await addContainer(node, first, 'sibling', ['sleep', '1000']);
    await node.client.call('StopContainer', { containerId: sibling, timeout: 0 });
    await node.client.call('RemoveContainer', { containerId: sibling });
    assert.equal(done, false, 'all that was done before the slow one');
    await slow;
  });
});
