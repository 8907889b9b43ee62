import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ContainerState,
  createContainer,
  containerConfig,
  eventually,
  podConfig,
  runSandbox,
  sandboxStatusOf,
  SandboxState,
  shell,
  statusOf,
} from '../pods.ts';
import { allPids, readProc } from '../node-processes.ts';
import { useNode } from '../use-node.ts';

function pauseOf(sandbox: string): number | undefined {
  return allPids().find((pid) => readProc(pid, 'cmdline')?.includes(`berth-pause\0${sandbox}`));
}

describe('a sandbox that the OCI runtime makes', () => {
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

  for (const handler of ['crun-oci', 'runc-oci']) {
    it(`serves like one that was made in process, with ${handler}`, async () => {
      const { node } = suite;
      const shared = { network: 0, ipc: 0, pid: 0 };
      const pod = podConfig(node, handler, {
        linux: {
          resources: {
            cpuQuota: 150_000,
            cpuPeriod: 100_000,
            cpuShares: 1024,
            memoryLimitInBytes: 64n << 20n,
          },
          sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
          securityContext: { namespaceOptions: shared },
        },
      });
      const sandbox = await runSandbox(node, pod, handler);
      const status = await sandboxStatusOf(node, sandbox);
      assert.equal(status.runtimeHandler, handler);
      assert.match(status.network?.ip ?? '', /^10\.88\./);
      // runc says that it is started before it has become its program.
      const pause = await eventually('pause runs', 5000, () => pauseOf(sandbox));
      const bundle = join(node.state, 'pauses', sandbox, 'config.json');
      const { annotations } = JSON.parse(readFileSync(bundle, 'utf8')) as {
        annotations: Record<string, string>;
      };
      assert.equal(annotations['io.kubernetes.cri.container-type'], 'sandbox');
      assert.equal(annotations['io.kubernetes.cri.sandbox-cpu-quota'], '150000');
      assert.equal(annotations['io.kubernetes.cri.sandbox-memory'], String(64 << 20));
      const powers = readFileSync(`/proc/${pause}/status`, 'utf8');
      assert.match(powers, /^CapEff:\s+0+$/m);
      assert.match(powers, /^CapBnd:\s+0+$/m);
      assert.match(powers, /^Uid:\s+65534\s+65534/m);
      assert.match(powers, /^Seccomp:\s+2$/m);

      const config = containerConfig('main', ['sleep', '1000'], {
        linux: { securityContext: { namespaceOptions: shared } },
      });
      const container = await createContainer(sandbox, node, config, pod);
      await node.client.call('StartContainer', { containerId: container });
      assert.equal((await statusOf(node, container)).state, ContainerState.RUNNING);
      assert.equal(await shell(node, container, 'hostname'), `${handler}\n`);
      assert.match(await shell(node, container, 'ip -4 addr show eth0'), new RegExp(status.network!.ip));
      assert.match(await shell(node, container, 'ps -o pid,args'), / 1 [^\n]*berth-pause/);
      const port = await shell(node, container, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start');
      assert.equal(port, '80\n');
    });

    it(`outlives the daemon and is seen to end, with ${handler}`, async () => {
      const { node } = suite;
      const pod = podConfig(node, `${handler}-2`);
      const sandbox = await runSandbox(node, pod, handler);
      await node.kill9();
      await node.start();
      assert.equal((await sandboxStatusOf(node, sandbox)).state, SandboxState.READY);
      const pause = pauseOf(sandbox);
      process.kill(pause!, 'SIGKILL');
      await eventually('the sandbox is not ready', 5000, async () =>
        (await sandboxStatusOf(node, sandbox)).state === SandboxState.NOTREADY ? true : undefined,
      );
    });
  }
});
