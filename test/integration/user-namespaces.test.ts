import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { allPids, readProc } from '../node-processes.ts';
import {
  containerConfig,
  createContainer,
  eventually,
  podConfig,
  readLog,
  runSandbox,
  sandboxStatusOf,
  SandboxState,
  shell,
  statusOf,
  waitForExit,
  type ContainerConfig,
  type PodConfig,
} from '../pods.ts';
import { useNode } from '../use-node.ts';

const UIDS = { containerId: 0, hostId: 300_000, length: 65_536 };
const GIDS = { containerId: 0, hostId: 400_000, length: 65_536 };
const USERNS = { mode: 0, uids: [UIDS], gids: [GIDS] };

describe('pods with a user namespace', () => {
  const suite = useNode({
    config: {
      runtime: {
        handlers: {
          'crun-oci': { path: 'crun', sandbox: 'oci' },
          'runc-oci': { path: 'runc', sandbox: 'oci' },
        },
      },
    },
  });

  function namespaces(more: object = {}): object {
    return { network: 0, pid: 1, ipc: 0, usernsOptions: USERNS, ...more };
  }

  interface Wish {
    namespaces?: object;
    pod?: PodConfig;
    sysctls?: Record<string, string>;
    container?: ContainerConfig;
    security?: object;
  }

  async function runIn(
    handler: string,
    command: string[],
    wish: Wish = {},
  ): Promise<{ sandbox: string; container: string; pod: PodConfig }> {
    const { node } = suite;
    const security = { namespaceOptions: namespaces(wish.namespaces), ...wish.security };
    const pod = podConfig(node, `userns-${handler}`, wish.pod);
    pod.linux = { ...pod.linux, securityContext: security, sysctls: wish.sysctls ?? {} };
    const sandbox = await runSandbox(node, pod, handler);
    const linux = { securityContext: security };
    const config = containerConfig('main', command, { ...wish.container, linux });
    const container = await createContainer(sandbox, node, config, pod);
    await node.client.call('StartContainer', { containerId: container });
    return { sandbox, container, pod };
  }

  const HANDLERS = ['crun', 'runc', 'crun-oci', 'runc-oci'];

  for (const handler of HANDLERS) {
    it(`have their own ids, and files of both sides belong to whom they should, with ${handler}`, async () => {
      const { node } = suite;
      const { sandbox, container, pod } = await runIn(handler, ['sleep', '1000']);
      const see = (line: string): Promise<string> => shell(node, container, line);
      assert.match(await see('cat /proc/self/uid_map'), /^ +0 +300000 +65536\n$/);
      assert.match(await see('cat /proc/self/gid_map'), /^ +0 +400000 +65536\n$/);
      assert.match(await see('id'), /^uid=0\(root\) gid=0\(root\)/);
      const owners = await see(
        'stat -c "%u:%g %n" / /bin /bin/busybox /etc/passwd /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm',
      );
      for (const line of owners.trim().split('\n')) assert.match(line, /^0:0 /);

      // What is written inside belongs outside to the ids that are mapped, whatever was there before.
      await see('echo x > /new; chown 1000:1001 /new; chown 7:8 /etc/passwd; touch /dev/shm/y; mkdir /d');
      assert.match(await see('stat -c "%u:%g" /new /etc/passwd'), /^1000:1001\n7:8\n$/);
      const upper = join(node.root, 'images/snapshots', container, 'fs');
      const owner = (path: string): string => {
        const { uid, gid } = statSync(path);
        return `${uid}:${gid}`;
      };
      assert.equal(owner(upper), '300000:400000');
      assert.equal(owner(join(upper, 'new')), '301000:401001');
      assert.equal(owner(join(upper, 'etc/passwd')), '300007:400008');
      assert.equal(owner(join(upper, 'd')), '300000:400000');
      const shm = join('/proc', String(node.pid), 'root', node.state, 'sandboxes', sandbox, 'shm');
      assert.equal(owner(join(shm, 'y')), '300000:400000');
      for (const name of ['hosts', 'hostname', 'resolv.conf'])
        assert.equal(owner(join(node.state, 'sandboxes', sandbox, name)), '300000:400000', name);

      const init = allPids().find(
        (pid) => readProc(pid, 'comm') === 'sleep\n' && readProc(pid, 'cgroup')?.includes(container),
      );
      const status = readFileSync(`/proc/${init}/status`, 'utf8');
      assert.match(status, /^Uid:\t300000\t300000\t300000\t300000$/m);
      assert.match(status, /^Gid:\t400000\t400000\t400000\t400000$/m);
      const echoed = (await sandboxStatusOf(node, sandbox)).linux?.namespaces?.options?.usernsOptions;
      assert.deepEqual(echoed?.uids, [UIDS]);
      const { uid, gid } = statSync('/dev/null');
      assert.deepEqual([uid, gid], [0, 0], "the node's null device is the node's");
      assert.equal(pod.hostname, await see('hostname -s | tr -d "\\n"'));
    });

    it(`have network, settings and a log like any other, with ${handler}`, async () => {
      const { node } = suite;
      const { sandbox, container } = await runIn(
        handler,
        ['sh', '-c', 'echo out > /dev/stdout; echo err >&2; sleep 1000'],
        {
          sysctls: {
            'net.ipv4.ip_unprivileged_port_start': '0',
            'kernel.shm_rmid_forced': '1',
          },
          pod: { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 8081 }] },
        },
      );
      const see = (line: string): Promise<string> => shell(node, container, line);
      const { network } = await sandboxStatusOf(node, sandbox);
      assert.match(await see('ip -4 addr show eth0'), new RegExp(network!.ip));
      assert.match(await see('cat /sys/class/net/eth0/operstate'), /up/);
      assert.equal(
        await see('cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced'),
        '0\n1\n',
      );
      await see(
        '(echo "HTTP/1.0 200 OK"; echo; echo served) > /tmp/answer; (nc -l -p 80 < /tmp/answer > /dev/null &)',
      );
      const answer = await eventually('the port answers', 5000, async () => {
        const text = await node.exec(['sh', '-c', `busybox nc -w 2 ${network!.ip} 80 < /dev/null || true`]);
        return text.includes('served') ? text : undefined;
      });
      assert.match(answer, /served/);
      const { logPath } = await statusOf(node, container);
      const lines = await eventually('both lines are in the log', 5000, () => {
        const found = readLog(logPath);
        return found.length === 2 ? found : undefined;
      });
      assert.deepEqual(lines.map(({ stream, content }) => `${stream} ${content}`).sort(), [
        'stderr err',
        'stdout out',
      ]);
      const { stats } = await node.client.call('ContainerStats', { containerId: container });
      assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n);
    });

    it(`outlive the daemon, and take commands, with ${handler}`, async () => {
      const { node } = suite;
      const { sandbox, container } = await runIn(handler, [
        'sh',
        '-c',
        'trap "exit 4" TERM; while :; do sleep 0.1; done',
      ]);
      await node.kill9();
      await node.start();
      assert.equal((await sandboxStatusOf(node, sandbox)).state, SandboxState.READY);
      const failed = await node.client.call('ExecSync', {
        containerId: container,
        cmd: ['sh', '-c', 'id -u; echo to stderr > /dev/stderr; exit 9'],
        timeout: 10,
      });
      assert.deepEqual(
        [failed.exitCode, Buffer.from(failed.stdout).toString(), Buffer.from(failed.stderr).toString()],
        [9, '0\n', 'to stderr\n'],
      );
      await assert.rejects(
        node.client.call('ExecSync', { containerId: container, cmd: ['/absent'], timeout: 10 }),
        /absent/,
      );
      await node.client.call('StopContainer', { containerId: container, timeout: 10 });
      assert.equal((await waitForExit(node, container)).exitCode, 4);
    });
  }
});
