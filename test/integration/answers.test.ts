import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { BUSYBOX, runPod, sandboxStatusOf, statusOf, type RunningPod } from '../pods.ts';
import { useNode } from '../use-node.ts';

const FOREVER = ['sleep', '100000'];
const SYSTEMD_IS_ZERO_CGROUPFS = 1;
const LABELS = { tier: 'front', 'io.kubernetes.container.name': 'main' };
const ANNOTATIONS = { 'example.org/note': 'ü, a "word" and\nanother line' };

/** What a node tells of itself, its pods, containers and images, field by field, by the daemon as it runs. */
describe('the answers of a node', () => {
  const suite = useNode();

  const one = async (): Promise<RunningPod & { mount: string }> => {
    const mount = suite.node.logs;
    const pod = await runPod(suite.node, 'told', FOREVER, {
      handler: 'runc',
      pod: { annotations: ANNOTATIONS, labels: { ...LABELS, pod: 'yes' } },
      container: {
        labels: LABELS,
        annotations: ANNOTATIONS,
        mounts: [{ containerPath: '/logs', hostPath: mount, readonly: true }],
        linux: {
          resources: { cpuPeriod: 100_000n, cpuQuota: 50_000n, memoryLimitInBytes: BigInt(64 << 20) },
          securityContext: {
            namespaceOptions: { network: 0, pid: 1, ipc: 0 },
            runAsUser: { value: 1000n },
            runAsGroup: { value: 1001n },
            supplementalGroups: [7n],
          },
        },
      },
    });
    return { ...pod, mount };
  };

  it('tell of the runtime', async () => {
    const { client } = suite.node;
    const version = await client.call('Version', { version: 'v1alpha2' });
    assert.deepEqual(
      { ...version, runtimeVersion: '' },
      {
        version: '0.1.0',
        runtimeName: 'berth',
        runtimeVersion: '',
        runtimeApiVersion: 'v1',
      },
    );
    assert.match(version.runtimeVersion, /^\d+\.\d+\.\d+/);
    const plain = await client.call('Status', {});
    assert.deepEqual(plain.info, {});
    assert.equal(plain.features!.supplementalGroupsPolicy, true);
    assert.equal(
      plain.features!.userNamespacesHostNetwork,
      plain.runtimeHandlers.some(({ features }) => features!.userNamespaces),
    );
    const verbose = await client.call('Status', { verbose: true });
    assert.ok(Object.keys(verbose.info).length > 0);
    const { linux } = await client.call('RuntimeConfig', {});
    assert.deepEqual(linux, { cgroupDriver: SYSTEMD_IS_ZERO_CGROUPFS });
  });

  it('tell of a sandbox', async () => {
    const { client } = suite.node;
    const before = BigInt(Date.now()) * 1_000_000n;
    const { sandbox, container, pod } = await one();
    const answer = await client.call('PodSandboxStatus', { podSandboxId: sandbox });
    const status = answer.status!;
    assert.deepEqual(answer.info, {});
    assert.ok(answer.timestamp >= before);
    assert.deepEqual(
      answer.containersStatuses.map(({ id, state }) => [id, state]),
      [[container, 1]],
    );
    assert.deepEqual(status.metadata, pod.metadata);
    assert.deepEqual(status.labels, pod.labels);
    assert.deepEqual(status.annotations, pod.annotations);
    assert.equal(status.runtimeHandler, 'runc');
    const { network, pid, ipc } = status.linux!.namespaces!.options!;
    assert.deepEqual({ network, pid, ipc }, { network: 0, pid: 1, ipc: 0 });
    const { info } = await client.call('PodSandboxStatus', { podSandboxId: sandbox, verbose: true });
    for (const key of ['pid', 'networkNamespace', 'attachment', 'cgroup', 'containers', 'debts'])
      assert.ok(key in info, `${key} is not in ${Object.keys(info).join(', ')}`);

    const { items } = await client.call('ListPodSandbox', {});
    assert.deepEqual(items, [
      {
        id: sandbox,
        metadata: status.metadata,
        state: status.state,
        createdAt: status.createdAt,
        labels: status.labels,
        annotations: status.annotations,
        runtimeHandler: 'runc',
      },
    ]);
    const streamed = async (labelSelector: Record<string, string>): Promise<unknown[]> => {
      const found = [];
      for await (const part of client.stream('StreamPodSandboxes', { filter: { labelSelector } }))
        found.push(...part.podSandboxes);
      return found;
    };
    assert.deepEqual(await streamed({ pod: 'yes' }), items);
    assert.deepEqual(await streamed({ pod: 'no' }), []);
  });

  it('tell of a container', async () => {
    const { client } = suite.node;
    const { sandbox, container, config, mount } = await one();
    const status = await statusOf(suite.node, container);
    const image = (await client.call('ImageStatus', { image: { image: BUSYBOX } })).image!;
    assert.deepEqual(status.metadata, config.metadata);
    assert.equal(status.image!.image, BUSYBOX);
    assert.equal(status.imageRef, image.repoDigests[0]);
    assert.equal(status.imageId, image.id);
    assert.deepEqual(status.labels, LABELS);
    assert.deepEqual(status.annotations, ANNOTATIONS);
    assert.deepEqual(
      status.mounts.map(({ containerPath, hostPath, readonly }) => [containerPath, hostPath, readonly]),
      [['/logs', mount, true]],
    );
    const { linux, windows } = status.resources!;
    assert.equal(windows, null);
    assert.deepEqual(
      [linux!.cpuPeriod, linux!.cpuQuota, linux!.memoryLimitInBytes],
      [100_000n, 50_000n, BigInt(64 << 20)],
    );
    const { uid, gid, supplementalGroups } = status.user!.linux!;
    // Those that its image gives this user come on top.
    assert.deepEqual([uid, gid], [1000n, 1001n]);
    assert.ok([7n, 1001n].every((group) => supplementalGroups.includes(group)));
    assert.deepEqual((await client.call('ContainerStatus', { containerId: container })).info, {});
    const { info } = await client.call('ContainerStatus', { containerId: container, verbose: true });
    for (const key of ['pid', 'monitorPid', 'handler', 'bundle', 'cgroup', 'notes', 'debts'])
      assert.ok(key in info, `${key} is not in ${Object.keys(info).join(', ')}`);

    const { containers } = await client.call('ListContainers', {});
    assert.deepEqual(containers, [
      {
        id: container,
        podSandboxId: sandbox,
        metadata: status.metadata,
        image: status.image,
        imageRef: status.imageRef,
        state: status.state,
        createdAt: status.createdAt,
        labels: LABELS,
        annotations: ANNOTATIONS,
        imageId: status.imageId,
      },
    ]);
    const streamed = async (id: string): Promise<unknown[]> => {
      const found = [];
      for await (const part of client.stream('StreamContainers', { filter: { id } }))
        found.push(...part.containers);
      return found;
    };
    assert.deepEqual(await streamed(container), containers);
    assert.deepEqual(await streamed('0123456789abcdef'), []);
  });

  it('tell of statistics', async () => {
    const { client } = suite.node;
    const before = BigInt(Date.now()) * 1_000_000n;
    const { sandbox, container, config } = await one();
    const { container: free } = await runPod(suite.node, 'free', FOREVER);
    const { stats } = await client.call('ContainerStats', { containerId: container });
    assert.deepEqual(stats!.attributes, {
      id: container,
      metadata: config.metadata,
      labels: LABELS,
      annotations: ANNOTATIONS,
    });
    const { cpu, memory } = stats!;
    assert.ok(cpu!.timestamp >= before && memory!.timestamp >= before);
    assert.ok(cpu!.usageCoreNanoSeconds!.value > 0n);
    const { usageBytes, workingSetBytes, availableBytes, rssBytes, pageFaults, majorPageFaults } = memory!;
    assert.ok(usageBytes!.value >= workingSetBytes!.value && workingSetBytes!.value > 0n);
    assert.ok(rssBytes!.value <= usageBytes!.value);
    assert.equal(availableBytes!.value, BigInt(64 << 20) - workingSetBytes!.value);
    assert.ok(pageFaults!.value > 0n && majorPageFaults!.value >= 0n);
    const unlimited = await client.call('ContainerStats', { containerId: free });
    assert.equal(unlimited.stats!.memory!.availableBytes, null);
    const pod = await client.call('PodSandboxStats', { podSandboxId: sandbox });
    assert.equal(pod.stats!.windows, null);
    await assert.rejects(client.call('ContainerStats', { containerId: 'nobody' }), { code: 'NOT_FOUND' });
  });

  it('tell of images', async () => {
    const { client, root } = suite.node;
    const { imageRef } = await client.call('PullImage', { image: { image: BUSYBOX } });
    const { image, info } = await client.call('ImageStatus', { image: { image: BUSYBOX } });
    assert.deepEqual(info, {});
    assert.equal(image!.id, imageRef);
    assert.equal(image!.spec!.image, BUSYBOX);
    assert.equal(image!.pinned, false);
    const verbose = await client.call('ImageStatus', { image: { image: BUSYBOX }, verbose: true });
    assert.ok(
      ['config', 'layers'].every((key) => key in verbose.info),
      Object.keys(verbose.info).join(),
    );
    const { images } = await client.call('ListImages', {});
    assert.deepEqual(images, [image]);
    for (const name of [BUSYBOX, image!.id, image!.repoDigests[0]!])
      assert.deepEqual(
        (await client.call('ListImages', { filter: { image: { image: name } } })).images,
        [image],
        name,
      );
    const streamed = async (name: string): Promise<unknown[]> => {
      const found = [];
      for await (const part of client.stream('StreamImages', { filter: { image: { image: name } } }))
        found.push(...part.images);
      return found;
    };
    assert.deepEqual(await streamed(''), [image]);
    assert.deepEqual(await streamed(BUSYBOX), [image]);
    assert.deepEqual(await streamed('reg.example/other:1'), []);
    const unknown = await client.call('ImageStatus', { image: { image: 'reg.example/other:1' } });
    assert.equal(unknown.image, null);
    await assert.rejects(client.call('ImageStatus', {}), { code: 'INVALID_ARGUMENT' });

    const { imageFilesystems, containerFilesystems } = await client.call('ImageFsInfo', {});
    const [filesystem] = imageFilesystems;
    assert.equal(imageFilesystems.length, 1);
    assert.equal(containerFilesystems.length, 1);
    assert.deepEqual(containerFilesystems[0]!.fsId, filesystem!.fsId);
    assert.ok(filesystem!.timestamp > 0n);
    assert.ok(filesystem!.usedBytes!.value > 0n && filesystem!.inodesUsed!.value > 0n);
    assert.equal(statSync(filesystem!.fsId!.mountpoint).dev, statSync(root).dev);
  });

  it('are the same of a sandbox that has stopped', async () => {
    const { sandbox, pod } = await one();
    const before = await sandboxStatusOf(suite.node, sandbox);
    await suite.node.client.call('StopPodSandbox', { podSandboxId: sandbox });
    const after = await sandboxStatusOf(suite.node, sandbox);
    assert.equal(after.state, 1);
    assert.deepEqual(
      [after.metadata, after.labels, after.annotations, after.createdAt, after.runtimeHandler],
      [pod.metadata, pod.labels, pod.annotations, before.createdAt, 'runc'],
    );
  });
});
