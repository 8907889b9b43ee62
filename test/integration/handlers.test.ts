import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { runPod, runSandbox, podConfig, sandboxStatusOf, shell } from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { useNode } from '../use-node.ts';

const HYBRID = existsSync('/sys/fs/cgroup/unified/cgroup.controllers');

describe('runtime handlers', () => {
  const suite = useNode({ hybrid: true });

  it('crun is the default, or runc where crun cannot work', async () => {
    const { node } = suite;
    const { sandbox, container } = await runPod(node, 'default', ['sleep', '1000']);
    assert.equal((await sandboxStatusOf(node, sandbox)).runtimeHandler, HYBRID ? 'runc' : 'crun');
    assert.equal(await shell(node, container, 'echo works'), 'works\n');
    if (!HYBRID) return;
    assert.match(node.log, /crun[^\n]*(hybrid|unified|v2)/, 'the log says why');
    await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /crun/ }, () =>
      runSandbox(node, podConfig(node, 'x'), 'crun'),
    );
  });
});

describe('the features of runtime handlers', () => {
  const suite = useNode({ image: false });

  it('are what their probes saw: runc 1.1 knows recursive read-only mounts', async () => {
    const { runtimeHandlers } = await suite.node.client.call('Status', {});
    const found = Object.fromEntries(runtimeHandlers.map(({ name, features }) => [name, features]));
    assert.equal(found['runc']?.recursiveReadOnlyMounts, true);
    assert.equal(found['crun']?.recursiveReadOnlyMounts, true);
    assert.deepEqual(found[''], found['crun'], 'the default has an entry without a name');
  });
});

describe('user namespaces of runtime handlers', () => {
  const suite = useNode();

  it('are what their probes saw, and need a way through to the files of pods', async () => {
    const { node } = suite;
    const before = await node.client.call('Status', {});
    const features = Object.fromEntries(
      before.runtimeHandlers.map(({ name, features }) => [name, features?.userNamespaces]),
    );
    assert.deepEqual([features[''], features['crun'], features['runc']], [true, true, true]);
    assert.equal(before.features?.userNamespacesHostNetwork, true);
    await node.stop();
    chmodSync(node.directory, 0o700);
    await node.start();
    const after = await node.client.call('Status', {});
    assert.ok(after.runtimeHandlers.length > 0);
    assert.ok(after.runtimeHandlers.every(({ features }) => features?.userNamespaces === false));
    assert.equal(after.features?.userNamespacesHostNetwork, false);
    const range = { containerId: 0, hostId: 100_000, length: 65_536 };
    const pod = podConfig(node, 'x');
    const usernsOptions = { mode: 0, uids: [range], gids: [range] };
    pod.linux = { ...pod.linux, securityContext: { namespaceOptions: { pid: 1, usernsOptions } } };
    await assertRefused(
      node,
      { code: 'FAILED_PRECONDITION', says: /lets no other user through.*chmod o\+x/ },
      () => runSandbox(node, pod),
    );
    await runPod(node, 'without', ['sleep', '1000']);
  });
});

describe('runtime handlers on a node without crun and runc', () => {
  const absent = { path: '/absent/runtime' };
  const suite = useNode({
    image: false,
    config: { runtime: { handlers: { crun: absent, runc: absent, faulty: absent } } },
  });

  it('are reported as the reason why the node is not ready', async () => {
    const { node } = suite;
    const { status } = await node.client.call('Status', {});
    const ready = status?.conditions.find(({ type }) => type === 'RuntimeReady');
    assert.equal(ready?.status, false);
    assert.match(ready?.message ?? '', /absent\/runtime/);
    await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /./ }, () =>
      runSandbox(node, podConfig(node, 'x')),
    );
  });
});
