import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  containerConfig,
  createContainer,
  eventually,
  podConfig,
  runSandbox,
  sandboxStatusOf,
  shell,
  statusOf,
  waitForExit,
  type PodConfig,
} from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { useNode } from '../use-node.ts';

const RANGE = { containerId: 0, hostId: 300_000, length: 65_536 };
const USERNS = { mode: 0, uids: [RANGE], gids: [RANGE] };
/** Numbers of NamespaceMode. */
const POD = 0;
const CONTAINER = 1;
const NODE = 2;
const TARGET = 3;

describe('namespaces of pods', () => {
  const suite = useNode();

  interface Options {
    network?: number;
    pid?: number;
    ipc?: number;
    targetId?: string;
    usernsOptions?: object;
  }

  function configured(options: Options, more: object = {}): PodConfig {
    const pod = podConfig(suite.node, 'spaces');
    const namespaceOptions = { network: POD, pid: CONTAINER, ipc: POD, ...options };
    pod.linux = { ...pod.linux, securityContext: { namespaceOptions, ...more } };
    return pod;
  }

  async function add(
    sandbox: string,
    pod: PodConfig,
    name: string,
    options: Options,
    command = ['sleep', '1000'],
    more: object = {},
  ): Promise<string> {
    const namespaceOptions = { network: POD, pid: CONTAINER, ipc: POD, ...options };
    const linux = { securityContext: { namespaceOptions, ...more } };
    return createContainer(sandbox, suite.node, containerConfig(name, command, { linux }), pod);
  }

  async function started(...args: Parameters<typeof add>): Promise<string> {
    const containerId = await add(...args);
    await suite.node.client.call('StartContainer', { containerId });
    return containerId;
  }

  for (const handler of ['crun', 'runc'])
    for (const usernsOptions of [undefined, USERNS]) {
      const what = `${usernsOptions === undefined ? '' : ' in a user namespace'}, with ${handler}`;
      const own = usernsOptions === undefined ? {} : { usernsOptions };

      it(`lets a debugging container see the processes of its target${what}`, async () => {
        const { node } = suite;
        const pod = configured(own);
        const sandbox = await runSandbox(node, pod, handler);
        const target = await started(sandbox, pod, 'app', own, ['sh', '-c', 'exec sleep 4321']);
        const other = await started(sandbox, pod, 'other', own, ['sleep', '1234']);
        const debug = await started(sandbox, pod, 'debug', { ...own, pid: TARGET, targetId: target });
        const seen = await shell(node, debug, 'ps -o pid,args');
        assert.match(seen, /^ +1 sleep 4321$/m);
        assert.doesNotMatch(seen, /1234/);
        const space = (id: string): Promise<string> => shell(node, id, 'readlink /proc/self/ns/pid');
        assert.equal(await space(debug), await space(target));
        assert.notEqual(await space(debug), await space(other));
        await node.client.call('StopContainer', { containerId: target, timeout: 0 });
        assert.equal(
          (await waitForExit(node, debug)).exitCode,
          137,
          'what shares its processes ends with it',
        );
      });

      it(`shares processes in a pod${what}`, async () => {
        const { node } = suite;
        const options = { ...own, pid: POD };
        const pod = configured(options);
        const sandbox = await runSandbox(node, pod, handler);
        const one = await started(sandbox, pod, 'one', options, ['sleep', '4321']);
        const two = await started(sandbox, pod, 'two', options);
        assert.match(await shell(node, two, 'ps -o pid,args'), /sleep 4321/);
        assert.match(await shell(node, one, 'cat /proc/1/comm'), /pause/);
      });

      it(`lives on the network of the node${what}`, async () => {
        const { node } = suite;
        const options = { ...own, network: NODE };
        const pod = configured(options);
        pod.hostname = '';
        pod.dnsConfig = null;
        pod.portMappings = [{ protocol: 0, containerPort: 18080, hostPort: 18080 }];
        const rules = await node.exec(['iptables-save']);
        const sandbox = await runSandbox(node, pod, handler);
        const container = await started(sandbox, pod, 'main', options);
        const see = (line: string): Promise<string> => shell(node, container, line);
        assert.equal(
          await see('readlink /proc/self/ns/net'),
          `${readlinkSync(`/proc/${node.holder}/ns/net`)}\n`,
        );
        assert.equal((await sandboxStatusOf(node, sandbox)).network?.ip, '');
        assert.equal(await see('cat /etc/hostname; hostname; echo $HOSTNAME'), `${hostname()}\n`.repeat(3));
        assert.equal(await see('cat /etc/hosts'), readFileSync('/etc/hosts', 'utf8'));
        assert.equal(await see('cat /etc/resolv.conf'), await node.exec(['cat', '/etc/resolv.conf']));
        assert.match(await see('ls /sys/class/net'), /lo/);
        assert.match(await see('grep " /sys " /proc/self/mountinfo'), / ro[, ]/);
        // Nobody maps a port that is the node's already.
        const marks = (text: string): string[] => text.split('\n').filter((line) => line.includes('18080'));
        assert.deepEqual(marks(await node.exec(['iptables-save'])), marks(rules));
        await see('(nc -l -p 18080 -e echo served > /dev/null 2>&1 &)');
        const answer = await eventually('the port answers', 5000, async () => {
          const text = await node.exec(['sh', '-c', 'busybox nc -w 2 127.0.0.1 18080 < /dev/null || true']);
          return text.includes('served') ? text : undefined;
        });
        assert.equal(answer, 'served\n');
        const low = await see('nc -l -p 80 -w 1 2>&1 || true');
        if (usernsOptions !== undefined) assert.match(low, /Permission denied/);
      });

      it(`runs privileged${what}`, async () => {
        const { node } = suite;
        const pod = configured(own, { privileged: true });
        const sandbox = await runSandbox(node, pod, handler);
        const container = await started(sandbox, pod, 'main', own, ['sleep', '1000'], { privileged: true });
        assert.match(await shell(node, container, 'grep CapEff /proc/self/status'), /[^0]/);
        await shell(node, container, 'mkdir /m && mount -t tmpfs x /m && touch /m/y && umount /m');
        const raised = await shell(
          node,
          container,
          'echo 1 2>/dev/null > /proc/sys/kernel/printk && echo yes || echo no',
        );
        if (usernsOptions !== undefined) assert.equal(raised, 'no\n');
      });
    }

  it('refuses targets that are none', async () => {
    const { node } = suite;
    const pod = configured({});
    const sandbox = await runSandbox(node, pod);
    const created = await add(sandbox, pod, 'created', {});
    const ended = await started(sandbox, pod, 'ended', {}, ['true']);
    await waitForExit(node, ended);
    const otherPod = configured({});
    const other = await runSandbox(node, otherPod);
    const foreign = await started(other, otherPod, 'foreign', {});
    const aim = (targetId: string) => () => add(sandbox, pod, 'debug', { pid: TARGET, targetId });
    await assertRefused(
      node,
      { code: 'FAILED_PRECONDITION', says: /is not running \(created\)/ },
      aim(created),
    );
    await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /is not running \(exited\)/ }, aim(ended));
    await assertRefused(node, { code: 'INVALID_ARGUMENT', says: /not in this sandbox/ }, aim(foreign));
    await assertRefused(node, { code: 'NOT_FOUND', says: /f00d/ }, aim('f00d'));
    await assertRefused(node, { code: 'INVALID_ARGUMENT', says: /targetId is empty/ }, aim(''));
    await assertRefused(node, { code: 'INVALID_ARGUMENT', says: /cannot be target/ }, () =>
      runSandbox(node, configured({ pid: TARGET, targetId: created })),
    );
  });

  it('refuses combinations that the kernel or the peers refuse', async () => {
    const { node } = suite;
    const second = { ...RANGE, containerId: 65_536, hostId: 400_000 };
    const cases: [Options, RegExp][] = [
      [{ pid: NODE, usernsOptions: USERNS }, /node's PID namespace/],
      [{ ipc: NODE, usernsOptions: USERNS }, /node's IPC namespace/],
      [{ usernsOptions: { ...USERNS, uids: [RANGE, second] } }, /maps 2 ranges of user ids/],
      [{ usernsOptions: { ...USERNS, gids: [second] } }, /does not map the group id 0/],
      [{ usernsOptions: { mode: POD, uids: [], gids: [] } }, /maps no user or group ids/],
      [{ usernsOptions: { ...USERNS, mode: NODE } }, /maps ids/],
      [{ usernsOptions: { ...USERNS, mode: CONTAINER } }, /mode cannot be container/],
      [{ usernsOptions: { ...USERNS, mode: TARGET } }, /mode cannot be target/],
      [{ network: CONTAINER }, /network cannot be container/],
    ];
    for (const [options, says] of cases)
      await assertRefused(node, { code: 'INVALID_ARGUMENT', says }, () =>
        runSandbox(node, configured(options)),
      );
    const sysctl = configured({ network: NODE });
    sysctl.linux = { ...sysctl.linux, sysctls: { 'net.ipv4.ip_forward': '1' } };
    await assertRefused(
      node,
      { code: 'INVALID_ARGUMENT', says: /net\.ipv4\.ip_forward.*the pod uses the node's/ },
      () => runSandbox(node, sysctl),
    );
    const mapping = configured({ network: NODE });
    mapping.portMappings = [{ protocol: 0, containerPort: 80, hostPort: 8080 }];
    await assertRefused(node, { code: 'INVALID_ARGUMENT', says: /cannot map a host port/ }, () =>
      runSandbox(node, mapping),
    );
  });

  it('refuses containers that do not fit their pod', async () => {
    const { node } = suite;
    const pod = configured({ usernsOptions: USERNS });
    const sandbox = await runSandbox(node, pod);
    const other = { ...USERNS, gids: [{ ...RANGE, hostId: 500_000 }] };
    const cases: [Options, RegExp][] = [
      [{}, /mode is node, and its pod's is pod/],
      [{ usernsOptions: other }, /not those of its pod/],
      [{ usernsOptions: USERNS, network: NODE }, /node's network namespace/],
      [{ usernsOptions: USERNS, ipc: NODE }, /node's IPC namespace/],
      [{ usernsOptions: USERNS, pid: NODE }, /node's PID namespace/],
      [{ usernsOptions: USERNS, pid: POD }, /PID namespace of its pod/],
    ];
    for (const [options, says] of cases)
      await assertRefused(node, { code: 'INVALID_ARGUMENT', says }, () => add(sandbox, pod, 'main', options));
  });

  for (const stage of ['record', 'sandbox', 'network', 'commit'])
    it(`leaves nothing of a user namespace when the daemon dies at ${stage}`, async () => {
      const { node } = suite;
      const pod = configured({ usernsOptions: USERNS, pid: POD });
      await node.restart({ BERTH_CRASH_AT: `RunPodSandbox:${stage}` });
      await assert.rejects(runSandbox(node, pod), { code: 'UNAVAILABLE' });
      await node.ended();
      await node.start();
      const sandbox = await runSandbox(node, pod);
      const container = await started(sandbox, pod, 'main', { usernsOptions: USERNS, pid: POD });
      assert.match(await shell(node, container, 'cat /proc/self/uid_map'), /300000/);
    });

  it('leaves nothing of many pods with user namespaces that are made while the daemon is killed', async () => {
    const { node } = suite;
    for (let round = 0; round < 5; round++) {
      const pods = Array.from({ length: 4 }, () => configured({ usernsOptions: USERNS }));
      const runs = Promise.allSettled(
        pods.map(async (pod) => {
          const sandbox = await runSandbox(node, pod);
          await started(sandbox, pod, 'main', { usernsOptions: USERNS });
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 10 + round * 40));
      await node.kill9();
      await runs;
      await node.start();
    }
    assert.ok(node.running);
  });

  it('gives the pod back to its image after a user namespace: the next one has other ids', async () => {
    const { node } = suite;
    const volume = join(node.directory, 'shared');
    mkdirSync(volume, { recursive: true });
    writeFileSync(join(volume, 'x'), '');
    for (const hostId of [300_000, 700_000]) {
      const range = [{ ...RANGE, hostId }];
      const options = { usernsOptions: { mode: POD, uids: range, gids: range } };
      const pod = configured(options);
      const sandbox = await runSandbox(node, pod);
      const container = await started(sandbox, pod, 'main', options);
      assert.equal(await shell(node, container, 'stat -c %u:%g /etc/passwd /bin/busybox'), '0:0\n0:0\n');
      assert.equal((await statusOf(node, container)).user?.linux?.uid, 0n);
    }
  });
});
