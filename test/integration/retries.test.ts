import assert from 'node:assert/strict';
import {
  containerConfig,
  createContainer,
  eventually,
  podConfig,
  runPod,
  runSandbox,
  shell,
  statusOf,
  ContainerState,
} from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { useNode } from '../use-node.ts';

describe('a caller that asks again', () => {
  const suite = useNode();
  afterEach(() => suite.node.faults.clear());

  it('joins the running create when its first call timed out', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'slow');
    const sandbox = await runSandbox(node, pod, 'faulty');
    const creates = (): number => node.faults.calls().filter((verb) => verb === 'create').length;
    const before = creates();
    node.faults.order('create', 'once sleep 3');
    const request = {
      podSandboxId: sandbox,
      config: containerConfig('slow', ['sleep', '1000']),
      sandboxConfig: pod,
    };
    await assert.rejects(node.client.call('CreateContainer', request, { deadlineMs: 1000 }), {
      code: 'DEADLINE_EXCEEDED',
    });
    const answers = await Promise.all([1, 2].map(() => node.client.call('CreateContainer', request)));
    assert.equal(answers[0]!.containerId, answers[1]!.containerId);
    const { containers } = await node.client.call('ListContainers', {});
    assert.deepEqual(
      containers.map(({ id }) => id),
      [answers[0]!.containerId],
    );
    assert.equal(creates() - before, 1, 'the runtime was called once');
    await node.client.call('StartContainer', { containerId: containers[0]!.id });
    assert.equal(await shell(node, containers[0]!.id, 'echo once'), 'once\n');
  });

  it('gets what was finished after it had left', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'left');
    const sandbox = await runSandbox(node, pod, 'faulty');
    node.faults.order('create', 'once sleep 2');
    const request = {
      podSandboxId: sandbox,
      config: containerConfig('left', ['sleep', '1000']),
      sandboxConfig: pod,
    };
    await assert.rejects(node.client.call('CreateContainer', request, { deadlineMs: 500 }), {
      code: 'DEADLINE_EXCEEDED',
    });
    const finished = await eventually('the container is there without its caller', 10_000, async () => {
      const { containers } = await node.client.call('ListContainers', { filter: { podSandboxId: sandbox } });
      return containers.find(({ state }) => state === ContainerState.CREATED);
    });
    assert.equal((await node.client.call('CreateContainer', request)).containerId, finished.id);
    await assert.rejects(node.client.call('CreateContainer', request), { code: 'ALREADY_EXISTS' });
  });

  it('succeeds after the runtime failed once, and nothing is left of the failure', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'fails');
    const sandbox = await runSandbox(node, pod, 'faulty');
    const config = containerConfig('fails', ['sleep', '1000']);
    node.faults.order('create', 'once fail the moon is full');
    await assertRefused(node, { code: 'INTERNAL', says: /create.*the moon is full/ }, () =>
      createContainer(sandbox, node, config, pod),
    );
    node.faults.order('create', 'once die');
    await assertRefused(node, { code: 'INTERNAL', says: /create/ }, () =>
      createContainer(sandbox, node, config, pod),
    );
    const containerId = await createContainer(sandbox, node, config, pod);
    node.faults.order('start', 'once fail no wind');
    await assert.rejects(node.client.call('StartContainer', { containerId }), /start.*no wind/);
    const { state } = await statusOf(node, containerId);
    if (state === ContainerState.CREATED) await node.client.call('StartContainer', { containerId });
    else assert.equal(state, ContainerState.EXITED, 'a failed start ends the container or leaves it created');
  });

  it('is not held up by a runtime that hangs: others are served, and the pod can be removed', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'hangs');
    const sandbox = await runSandbox(node, pod, 'faulty');
    node.faults.order('create', 'hang');
    const call = createContainer(sandbox, node, containerConfig('hangs', ['true']), pod);
    const refused = assert.rejects(call);
    const other = await runPod(node, 'other', ['sleep', '1000']);
    assert.equal(await shell(node, other.container, 'echo served'), 'served\n');
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
    await refused;
  });

  it('lets a container go whose runtime cannot delete it', async () => {
    const { node } = suite;
    const { container, sandbox } = await runPod(node, 'undeletable', ['sleep', '1000'], {
      handler: 'faulty',
    });
    node.faults.order('delete', 'fail not today');
    await node.client.call('StopContainer', { containerId: container, timeout: 0 });
    await node.client.call('RemoveContainer', { containerId: container });
    await assert.rejects(statusOf(node, container), { code: 'NOT_FOUND' });
    node.faults.clear();
    await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
  });

  it('kills a command that takes too long, with all of its children', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'exec', ['sleep', '1000']);
    const cmd = ['sh', '-c', 'sleep 4242 & sleep 4242'];
    await assert.rejects(node.client.call('ExecSync', { containerId: container, cmd, timeout: 1 }), {
      code: 'DEADLINE_EXCEEDED',
    });
    const left = await shell(node, container, 'ps | grep -c "[s]leep 4242" || true');
    assert.equal(left, '0\n');
  });

  it('gets sixteen mebibytes of a command that writes more', async () => {
    const { node } = suite;
    const { container } = await runPod(node, 'much', ['sleep', '1000']);
    const cmd = ['sh', '-c', 'head -c 20000000 /dev/zero; echo end >&2'];
    const { stdout, stderr, exitCode } = await node.client.call('ExecSync', {
      containerId: container,
      cmd,
      timeout: 60,
    });
    assert.deepEqual([stdout.length, Buffer.from(stderr).toString(), exitCode], [16 << 20, 'end\n', 0]);
  });
});

describe('a create that never ends', () => {
  const suite = useNode({ config: { runtime: { create_timeout_seconds: 2 } } });
  afterEach(() => suite.node.faults.clear());

  it('is given up, names its stage and frees its name, for whoever asks and when nobody waits', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'capped');
    const sandbox = await runSandbox(node, pod, 'faulty');
    const config = containerConfig('capped', ['sleep', '1000']);
    const request = { podSandboxId: sandbox, config, sandboxConfig: pod };
    node.faults.order('create', 'hang');
    const gone = node.client.call('CreateContainer', request, { deadlineMs: 500 });
    await assert.rejects(gone, { code: 'DEADLINE_EXCEEDED' });
    await assert.rejects(node.client.call('CreateContainer', request), {
      code: 'DEADLINE_EXCEEDED',
      details: /capped.*create.*deadline/,
    });
    const { containers } = await node.client.call('ListContainers', {});
    assert.deepEqual(containers, []);
    node.faults.clear();
    const { containerId } = await node.client.call('CreateContainer', request);
    await node.client.call('StartContainer', { containerId });
    assert.equal(await shell(node, containerId, 'echo at last'), 'at last\n');
  });
});
