import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonCensus } from '../../cri/census.ts';
import { RpcError } from '../../cri/client.ts';
import { podConfig, runPod, runSandbox, statusOf, ContainerState } from '../pods.ts';
import { useNode } from '../use-node.ts';

/** The unit gives the daemon 30 s (`TimeoutStopSec`). */
const BOUND_MS = 25_000;

describe('the daemon is told to stop while something hangs', () => {
  const suite = useNode();

  it('answers what it cuts short, ends in time, and the work is undone or done after the next start', async function () {
    this.timeout(180_000);
    const { node } = suite;
    const census = async (): Promise<DaemonCensus> =>
      JSON.parse((await node.client.call('Census', {})).json) as DaemonCensus;
    const pod = await runPod(node, 'lives', ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']);

    // A CNI plugin that hangs, and a registry that takes connections and says nothing.
    const [lists, programs] = [join(node.directory, 'net.d'), join(node.directory, 'hanging')];
    mkdirSync(programs);
    const started = join(node.directory, 'plugin-started');
    writeFileSync(
      join(programs, 'hangs'),
      `#!/bin/sh
      case $CNI_COMMAND in
      ADD) touch ${started}; sleep 98765 ;;
      VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}' ;;
      esac`,
    );
    chmodSync(join(programs, 'hangs'), 0o755);
    await node.exec(['mount', '--bind', programs, '/usr/lib/cni']);
    const list = { cniVersion: '1.0.0', name: 'hangs', plugins: [{ type: 'hangs' }] };
    writeFileSync(join(lists, '10-hangs.conflist'), JSON.stringify(list));
    await node.restart();

    const calls = [
      runSandbox(node, podConfig(node, 'hangs')),
      node.client.call('StopContainer', { containerId: pod.container, timeout: 600n }),
      node.client.call('PullImage', { image: { image: '192.0.2.1:5000/hangs:1' } }),
    ];
    const endings = Promise.allSettled(calls);
    while (!existsSync(started)) await sleep(50);
    const events = (async () => {
      for await (const _event of node.client.stream('GetContainerEvents', {}));
    })();
    while ((await census()).events.subscribers === 0) await sleep(50);
    const begun = performance.now();
    await node.stop();
    const took = performance.now() - begun;
    assert.ok(took < BOUND_MS, `it took ${took} ms`);
    for (const ending of await endings) {
      assert.equal(ending.status, 'rejected');
      const error: unknown = ending.reason;
      assert.ok(error instanceof RpcError, String(error));
      assert.equal(error.code, 'UNAVAILABLE', error.message);
      assert.match(error.details, /The daemon stops and has cut \w+ short; call it again/);
    }
    await events;

    // The plugin went with its caller; its DEL, which works, is called by the next start.
    await assert.rejects(node.exec(['pgrep', '-f', 'sleep 98765']));
    await node.exec(['rm', join(lists, '10-hangs.conflist')]);
    await node.start();
    assert.equal((await statusOf(node, pod.container)).state, ContainerState.RUNNING);
    await node.client.call('StopContainer', { containerId: pod.container, timeout: 0 });
    while ((await census()).debts.length > 0) await sleep(200);
    await node.exec(['umount', '/usr/lib/cni']);
    await node.exec(['rm', '-rf', programs, started]);
  });
});
