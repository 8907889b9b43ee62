import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BUSYBOX,
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
  podConfig,
  readLog,
  runPod,
  runSandbox,
  SandboxState,
  sandboxStatusOf,
  shell,
  statusOf,
  waitForExit,
  wholeLines,
  type RunningPod,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

describe('the life of a pod', () => {
  const suite = useNode();

  for (const handler of ['crun', 'runc'])
    it(`runs from the first call to the last with ${handler}`, async () => {
      const { node } = suite;
      const { client } = node;
      const pod = podConfig(node, `life-${handler}`);
      const sandbox = await runSandbox(node, pod, handler);
      const ready = await sandboxStatusOf(node, sandbox);
      assert.equal(ready.state, SandboxState.READY);
      assert.equal(ready.runtimeHandler, handler);
      assert.deepEqual(ready.metadata, { ...pod.metadata });
      assert.deepEqual(ready.labels, pod.labels);
      assert.deepEqual(ready.annotations, pod.annotations);
      assert.match(ready.network?.ip ?? '', /^10\.88\.\d+\.\d+$/);

      const line =
        'echo to stdout; echo to stderr >&2; printf unfinished; trap "exit 3" TERM; while :; do sleep 0.1; done';
      const config = containerConfig('main', ['sh', '-c', line]);
      const container = await createContainer(sandbox, node, config, pod);
      const created = await statusOf(node, container);
      assert.equal(created.state, ContainerState.CREATED);
      assert.ok(created.createdAt > 0n && created.startedAt === 0n);
      const image = (await client.call('ImageStatus', { image: { image: BUSYBOX } })).image!;
      assert.equal(created.imageId, image.id);
      assert.equal(created.image?.image, BUSYBOX);

      await client.call('StartContainer', { containerId: container });
      const running = await statusOf(node, container);
      assert.equal(running.state, ContainerState.RUNNING);
      assert.ok(running.startedAt >= created.createdAt && running.finishedAt === 0n);
      assert.equal(running.logPath, join(pod.logDirectory!, config.logPath!));

      const log = await eventually('both lines are in the log', 5000, () => {
        const lines = existsSync(running.logPath) ? readLog(running.logPath) : [];
        return lines.length >= 2 ? lines : undefined;
      });
      assert.deepEqual(log.find(({ stream }) => stream === 'stdout')?.content, 'to stdout');
      assert.deepEqual(log.find(({ stream }) => stream === 'stderr')?.content, 'to stderr');

      assert.equal(await shell(node, container, 'hostname'), `life-${handler}\n`);
      const failed = await client.call('ExecSync', {
        containerId: container,
        cmd: ['sh', '-c', 'echo e >&2; exit 9'],
        timeout: 10,
      });
      assert.deepEqual([failed.exitCode, Buffer.from(failed.stderr).toString()], [9, 'e\n']);

      await client.call('StopContainer', { containerId: container, timeout: 10 });
      const exited = await statusOf(node, container);
      assert.deepEqual([exited.state, exited.exitCode, exited.reason], [ContainerState.EXITED, 3, 'Error']);
      assert.ok(exited.finishedAt >= running.startedAt);
      await client.call('StopContainer', { containerId: container, timeout: 10 });

      await client.call('RemoveContainer', { containerId: container });
      await client.call('RemoveContainer', { containerId: container });
      await assert.rejects(statusOf(node, container), { code: 'NOT_FOUND' });

      await client.call('StopPodSandbox', { podSandboxId: sandbox });
      await client.call('StopPodSandbox', { podSandboxId: sandbox });
      assert.equal((await sandboxStatusOf(node, sandbox)).state, SandboxState.NOTREADY);
      await client.call('RemovePodSandbox', { podSandboxId: sandbox });
      await client.call('RemovePodSandbox', { podSandboxId: sandbox });
      await assert.rejects(sandboxStatusOf(node, sandbox), { code: 'NOT_FOUND' });
    });

  it('lists what matches a filter, and nothing else', async () => {
    const { node } = suite;
    const a = await runPod(node, 'list-a', ['sleep', '1000'], { container: { labels: { app: 'a' } } });
    const b = await runPod(node, 'list-b', ['true'], { container: { labels: { app: 'b' } } });
    await waitForExit(node, b.container);
    const containers = async (filter: object): Promise<string[]> =>
      (await node.client.call('ListContainers', { filter })).containers.map(({ id }) => id).sort();
    assert.deepEqual(await containers({}), [a.container, b.container].sort());
    assert.deepEqual(await containers({ id: a.container }), [a.container]);
    assert.deepEqual(await containers({ podSandboxId: b.sandbox }), [b.container]);
    assert.deepEqual(await containers({ state: { state: ContainerState.RUNNING } }), [a.container]);
    assert.deepEqual(await containers({ labelSelector: { app: 'b' } }), [b.container]);
    assert.deepEqual(await containers({ id: a.container, labelSelector: { app: 'b' } }), []);
    const sandboxes = async (filter: object): Promise<string[]> =>
      (await node.client.call('ListPodSandbox', { filter })).items.map(({ id }) => id).sort();
    assert.deepEqual(await sandboxes({}), [a.sandbox, b.sandbox].sort());
    assert.deepEqual(await sandboxes({ labelSelector: { 'io.kubernetes.pod.name': 'list-a' } }), [a.sandbox]);
    await node.client.call('StopPodSandbox', { podSandboxId: a.sandbox });
    assert.deepEqual(await sandboxes({ state: { state: SandboxState.READY } }), [b.sandbox]);
    assert.equal((await statusOf(node, a.container)).state, ContainerState.EXITED);
  });

  it('gives a container what its configuration asks for', async () => {
    const { node } = suite;
    const volume = join(node.logs, 'volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'note'), 'read me');
    const { container } = await runPod(node, 'asks', ['sleep', '1000'], {
      container: {
        workingDir: '/tmp',
        envs: [
          { key: 'PLAIN', value: Buffer.from('a b') },
          { key: 'EMPTY', value: Buffer.alloc(0) },
        ],
        mounts: [{ containerPath: '/from-the-node', hostPath: volume, readonly: true }],
        linux: {
          resources: { cpuPeriod: 100_000, cpuQuota: 50_000, cpuShares: 512, memoryLimitInBytes: 64 << 20 },
          securityContext: {
            namespaceOptions: { network: 0, pid: 1, ipc: 0 },
            runAsUser: { value: 1000 },
            runAsGroup: { value: 1000 },
            supplementalGroups: [4242],
            readonlyRootfs: true,
            noNewPrivs: true,
            maskedPaths: ['/proc/meminfo'],
            readonlyPaths: ['/proc/sys'],
            seccomp: { profileType: 0 },
          },
        },
      },
    });
    const see = (line: string): Promise<string> => shell(node, container, line);
    assert.equal(await see('pwd'), '/tmp\n');
    assert.equal(await see('echo "$PLAIN,$EMPTY,$HOSTNAME"'), 'a b,,asks\n');
    assert.match(await see('id'), /^uid=1000\(alice\) gid=1000\(alice\) groups=.*4242/);
    assert.equal(await see('touch /x 2>/dev/null || echo refused'), 'refused\n');
    assert.equal(
      await see('touch /from-the-node/x 2>/dev/null || echo refused; cat /from-the-node/note'),
      'refused\nread me',
    );
    assert.match(await see('grep -E "NoNewPrivs|Seccomp:" /proc/self/status'), /NoNewPrivs:\t1\nSeccomp:\t2/);
    assert.equal(
      await see('cat /etc/resolv.conf'),
      'nameserver 10.96.0.10\nsearch default.svc.cluster.local\noptions ndots:5\n',
    );
    assert.match(await see('df /dev/shm'), /shm|tmpfs/);
    assert.equal(await see('wc -c < /proc/meminfo'), '0\n');
    assert.equal(await see('echo 1 2>/dev/null > /proc/sys/kernel/domainname || echo refused'), 'refused\n');
    const cgroups = readFileSync(`/proc/${await pidOf(container)}/cgroup`, 'utf8');
    const memory = /^\d+:memory:(.*)$/m.exec(cgroups)?.[1];
    assert.ok(memory?.startsWith(`${node.cgroupParent}/kubepods/besteffort/pod`), cgroups);
    assert.equal(
      readFileSync(`/sys/fs/cgroup/memory${memory}/memory.limit_in_bytes`, 'utf8'),
      `${64 << 20}\n`,
    );
    assert.equal(readFileSync(`/sys/fs/cgroup/cpu${memory}/cpu.cfs_quota_us`, 'utf8'), '50000\n');

    async function pidOf(id: string): Promise<string> {
      const found = await node.exec(['sh', '-c', `grep -l ${id} /proc/[0-9]*/cgroup | head -n 1`]);
      return found.split('/')[2]!;
    }
  });

  it('lets pods reach each other, and containers of one pod share network, IPC and shared memory', async () => {
    const { node } = suite;
    const serve = 'mkdir /tmp/www && echo hello > /tmp/www/index.html && httpd -f -p 8080 -h /tmp/www';
    const server = await runPod(node, 'server', ['sh', '-c', serve]);
    const client = await runPod(node, 'client', ['sleep', '1000']);
    const { network } = await sandboxStatusOf(node, server.sandbox);
    const get = `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc ${network!.ip} 8080 | tail -n 1`;
    const answer = await eventually('the server answers', 5000, async () => {
      const text = await shell(node, client.container, `${get} || true`);
      return text.includes('hello') ? text : undefined;
    });
    assert.equal(answer, 'hello\n');

    const second = await addContainer(client, 'second', ['sleep', '1000']);
    assert.equal(
      await shell(node, client.container, 'for n in net ipc uts; do readlink /proc/self/ns/$n; done'),
      await shell(node, second, 'for n in net ipc uts; do readlink /proc/self/ns/$n; done'),
    );
    assert.notEqual(
      await shell(node, client.container, 'readlink /proc/self/ns/pid'),
      await shell(node, second, 'readlink /proc/self/ns/pid'),
    );
    await shell(node, client.container, 'echo shared > /dev/shm/note');
    assert.equal(await shell(node, second, 'cat /dev/shm/note'), 'shared\n');
  });

  async function addContainer(
    { sandbox, pod }: RunningPod,
    name: string,
    command: string[],
    changes = {},
  ): Promise<string> {
    const id = await createContainer(sandbox, suite.node, containerConfig(name, command, changes), pod);
    await suite.node.client.call('StartContainer', { containerId: id });
    return id;
  }

  it('writes long and unfinished lines as the CRI says, and goes on in a new file after rotation', async () => {
    const { node } = suite;
    const script = `head -c 40000 /dev/zero | tr '\\0' x; echo; echo -n tail; while ! [ -e /tmp/go ]; do sleep 0.05; done; echo after; sleep 1000`;
    const { container } = await runPod(node, 'lines', ['sh', '-c', script]);
    const { logPath } = await statusOf(node, container);
    const long = await eventually('the long line is complete', 10_000, () => {
      const lines = readLog(logPath);
      return lines.some(({ tag }) => tag === 'F') ? lines : undefined;
    });
    assert.ok(long.length >= 3, 'the line was cut into records');
    assert.equal(wholeLines(long)[0], 'x'.repeat(40_000));
    renameSync(logPath, `${logPath}.1`);
    await node.client.call('ReopenContainerLog', { containerId: container });
    assert.ok(existsSync(logPath), 'the new file is there when the call returns');
    await shell(node, container, 'touch /tmp/go');
    await eventually('the new file has the next line', 5000, () =>
      readLog(logPath).length > 0 ? true : undefined,
    );
    const all = readLog(`${logPath}.1`).concat(readLog(logPath));
    assert.deepEqual(wholeLines(all), ['x'.repeat(40_000), 'tailafter']);
  });

  for (const handler of ['crun', 'runc'])
    it(`gives a container a terminal, or an input that stays open, with ${handler}`, async () => {
      const { node } = suite;
      const tty = await runPod(node, `tty-${handler}`, ['sh', '-c', 'tty; stty size; sleep 1000'], {
        container: { tty: true, stdin: true },
        handler,
      });
      const { logPath } = await statusOf(node, tty.container);
      const lines = await eventually('the terminal is in the log', 5000, () => {
        const found = readLog(logPath);
        return found.length >= 2 ? found : undefined;
      });
      assert.match(String(lines[0]!.content), /^\/dev\/pts\/0/);
      assert.equal(lines[0]!.stream, 'stdout');
      assert.match(await shell(node, tty.container, 'echo no terminal; tty; true'), /not a tty/);

      const waiting = await runPod(node, `stdin-${handler}`, ['cat'], {
        container: { stdin: true },
        handler,
      });
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal((await statusOf(node, waiting.container)).state, ContainerState.RUNNING);
      const closed = await runPod(node, `no-stdin-${handler}`, ['cat'], { handler });
      await eventually('cat ends at the end of its input', 5000, async () =>
        (await statusOf(node, closed.container)).state === ContainerState.EXITED ? true : undefined,
      );
      assert.equal((await statusOf(node, closed.container)).exitCode, 0);
    });

  it('shares the PID namespace when asked, and pause gives nothing away', async () => {
    const { node } = suite;
    const shared = { securityContext: { namespaceOptions: { network: 0, pid: 0, ipc: 0 } } };
    const pod = podConfig(node, 'shared-pid');
    pod.linux = { ...pod.linux, ...shared };
    const sandbox = await runSandbox(node, pod);
    const config = containerConfig('main', ['sleep', '1000'], { linux: shared });
    const container = await createContainer(sandbox, node, config, pod);
    await node.client.call('StartContainer', { containerId: container });
    assert.match(await shell(node, container, 'tr "\\0" " " < /proc/1/cmdline; cat /proc/1/comm'), /pause/);
    const status = await shell(node, container, 'cat /proc/1/status');
    assert.match(status, /CapEff:\t0+\n/);
    assert.match(status, /CapBnd:\t0+\n/);
    assert.match(status, /NoNewPrivs:\t1\n/);
    assert.match(status, /Seccomp:\t2\n/);
    assert.match(status, /Uid:\t65534\t65534\t65534\t65534\n/);
    const root = await shell(node, container, 'ls -A /proc/1/root/ 2>/dev/null || true');
    assert.ok(root.trim().split('\n').length <= 1, root);
    await shell(node, container, 'sh -c "sleep 0.1 &" ; sleep 0.5');
    assert.doesNotMatch(await shell(node, container, 'cat /proc/[0-9]*/stat'), /\(sleep\) Z/);
  });

  it('leaves nothing of a pod whose pause cannot start, although its network is made meanwhile', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'no-process');
    const most = join('/sys/fs/cgroup/pids', pod.linux!.cgroupParent!, 'pids.max');
    writeFileSync(most, '0');
    await assert.rejects(runSandbox(node, pod), {
      code: 'RESOURCE_EXHAUSTED',
      message: /: sandbox: .*EAGAIN/,
    });
    assert.deepEqual((await node.client.call('ListPodSandbox', {})).items, []);
    writeFileSync(most, 'max');
    const sandbox = await runSandbox(node, pod);
    assert.equal((await sandboxStatusOf(node, sandbox)).state, SandboxState.READY);
  });

  it('pulls nothing that is there, and removes an image with all its names', async () => {
    const { node, library } = suite;
    await library.push('extra:1', { layers: [{ files: [{ path: 'hello', content: 'x' }] }] });
    const reference = BUSYBOX.replace('busybox', 'extra');
    const first = (await node.client.call('PullImage', { image: { image: reference } })).imageRef;
    assert.equal((await node.client.call('PullImage', { image: { image: reference } })).imageRef, first);
    const image = (await node.client.call('ImageStatus', { image: { image: reference } })).image!;
    assert.equal(image.id, first);
    assert.deepEqual(image.repoTags, [reference]);
    assert.equal(image.repoDigests.length, 1);
    await node.client.call('RemoveImage', { image: { image: reference } });
    await node.client.call('RemoveImage', { image: { image: reference } });
    assert.equal((await node.client.call('ImageStatus', { image: { image: reference } })).image, null);
  });

  it('says what it is and that it is ready', async () => {
    const { client } = suite.node;
    const version = await client.call('Version', {});
    assert.equal(version.runtimeName, 'berth');
    assert.equal(version.runtimeApiVersion, 'v1');
    const { status, runtimeHandlers } = await client.call('Status', {});
    const conditions = Object.fromEntries(
      (status?.conditions ?? []).map(({ type, status }) => [type, status]),
    );
    assert.equal(conditions.RuntimeReady, true);
    assert.equal(conditions.NetworkReady, true);
    const names = runtimeHandlers.map(({ name }) => name);
    assert.ok(
      ['', 'crun', 'runc'].every((name) => names.includes(name)),
      names.join(),
    );
  });
});
