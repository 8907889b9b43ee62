import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
  runSandbox,
  shell,
  statusOf,
  waitForExit,
  type ContainerConfig,
  type PodConfig,
} from '../../pods.ts';
import { ServiceNode, sh, type Driver } from './service-node.ts';

const MIB = 2 ** 20;

interface Pod {
  sandbox: string;
  container: string;
  pod: PodConfig;
  /** Directory of the container's cgroup. */
  cgroup: string;
}

/** The value of a line `key value` in a cgroup's file. */
function entry(directory: string, file: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(value(directory, file))?.[1]);
}

function value(directory: string, file: string): string {
  return readFileSync(join(directory, file), 'utf8').trim();
}

for (const driver of ['systemd', 'cgroupfs'] satisfies Driver[])
  describe(`cgroup v2 with the ${driver} driver, the daemon under systemd`, () => {
    let node: ServiceNode;
    before(async () => {
      node = await ServiceNode.start(driver);
    });
    afterEach(() => node.clear());
    after(() => node.stop());

    async function start(
      handler: string,
      command: string[],
      linux: ContainerConfig['linux'] = {},
      name = 'pod',
    ): Promise<Pod> {
      const pod = await node.pod(name);
      const sandbox = await runSandbox(node, pod, handler);
      const container = await createContainer(
        sandbox,
        node,
        containerConfig('main', command, { linux }),
        pod,
      );
      await node.client.call('StartContainer', { containerId: container });
      return { sandbox, container, pod, cgroup: await node.cgroup(container) };
    }

    it('is what the daemon says it uses', async () => {
      const { linux } = await node.client.call('RuntimeConfig', {});
      assert.equal(linux!.cgroupDriver, driver === 'systemd' ? 0 : 1);
      assert.equal((await sh('systemctl show -P StatusText berth')).length > 1, true);
    });

    for (const handler of ['crun', 'runc']) {
      it(`has the limits of a container of ${handler}, changes them, and tells`, async () => {
        const { container, cgroup, pod, sandbox } = await start(handler, ['sleep', '1000'], {
          resources: {
            cpuPeriod: 100_000,
            cpuQuota: 50_000,
            cpuShares: 512,
            memoryLimitInBytes: 64 * MIB,
            memorySwapLimitInBytes: 96 * MIB,
            oomScoreAdj: -500,
            hugepageLimits: [{ pageSize: '2MB', limit: BigInt(4 * MIB) }],
            unified: { 'memory.high': String(60 * MIB), 'pids.max': '77', 'memory.oom.group': '1' },
          },
        });
        const own = driver === 'systemd' ? `berth-${container}.scope` : container;
        const below = driver === 'systemd' && handler === 'crun' ? ['container'] : [];
        const parent = pod.linux!.cgroupParent!.split('/').at(-1);
        assert.deepEqual(cgroup.split('/').slice(-2 - below.length), [parent, own, ...below]);
        const now = (): Record<string, string> =>
          Object.fromEntries(
            ['cpu.max', 'cpu.weight', 'memory.max', 'memory.swap.max', 'memory.high', 'pids.max'].map(
              (file) => [file, value(cgroup, file)],
            ),
          );
        assert.deepEqual(now(), {
          'cpu.max': '50000 100000',
          'cpu.weight': '20',
          'memory.max': String(64 * MIB),
          'memory.swap.max': String(32 * MIB),
          'memory.high': String(60 * MIB),
          'pids.max': '77',
        });
        assert.equal(value(cgroup, 'hugetlb.2MB.max'), String(4 * MIB));
        assert.equal(value(cgroup, 'memory.oom.group'), '1');
        assert.equal((await shell(node, container, 'cat /proc/1/oom_score_adj')).trim(), '-500');
        await node.client.call('UpdateContainerResources', {
          containerId: container,
          linux: {
            cpuQuota: 90_000,
            cpuPeriod: 50_000,
            cpuShares: 1024,
            memoryLimitInBytes: 128 * MIB,
            memorySwapLimitInBytes: 128 * MIB,
            cpusetCpus: '1',
            unified: { 'memory.high': 'max', 'pids.max': '99' },
          },
        });
        const changed = {
          'cpu.max': '90000 50000',
          'cpu.weight': '39',
          'memory.max': String(128 * MIB),
          'memory.swap.max': '0',
          'memory.high': 'max',
          'pids.max': '99',
        };
        assert.deepEqual(now(), changed);
        assert.equal(value(cgroup, 'cpuset.cpus.effective'), '1');
        const told = (await statusOf(node, container)).resources!.linux!;
        assert.deepEqual([told.cpuShares, told.memoryLimitInBytes], [1024n, BigInt(128 * MIB)]);
        // systemd writes a unit's limits again when it is told to look at its units anew.
        await sh('systemctl daemon-reload');
        // runc 1.1 does not tell systemd that the swap limit has become 0: systemd writes the former one.
        const forgotten =
          driver === 'systemd' && handler === 'runc' ? { 'memory.swap.max': String(32 * MIB) } : {};
        assert.deepEqual(now(), { ...changed, ...forgotten });
        await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
        await eventually('its cgroup is gone', 60_000, () => (existsSync(cgroup) ? undefined : true));
        assert.equal(await sh(`systemctl list-units --all --no-legend 'berth-${container}*'`), '');
      });

      it(`says OOMKilled for a container of ${handler} and who it was`, async () => {
        const hungry = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1'];
        const small = { resources: { memoryLimitInBytes: 16 * MIB, memorySwapLimitInBytes: 16 * MIB } };
        const ends = await Promise.all(
          Array.from({ length: 4 }, async (_, round) => {
            const { container } = await start(handler, hungry, small, `hungry-${round}`);
            const { exitCode, reason } = await waitForExit(node, container, 120_000);
            return `${exitCode} ${reason}`;
          }),
        );
        assert.deepEqual(ends, Array<string>(4).fill('137 OOMKilled'));
        const child = await start(handler, ['sh', '-c', `${hungry.join(' ')}; exit 3`], small, 'child');
        const { exitCode, reason } = await waitForExit(node, child.container, 120_000);
        assert.deepEqual([exitCode, reason], [3, 'OOMKilled']);
      });

      it(`runs commands in a container of ${handler} within its cgroup`, async () => {
        const { container, cgroup } = await start(handler, ['sleep', '1000']);
        const path = cgroup.replace('/sys/fs/cgroup', '');
        const running = node.client.call('ExecSync', {
          containerId: container,
          cmd: ['sleep', '371'],
          timeout: 600,
        });
        const pid = await eventually(
          'the command runs',
          60_000,
          async () => (await sh("pgrep -xf 'sleep 371' || true")).trim() || undefined,
        );
        const where = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))![1]!;
        assert.ok(`${where}/`.startsWith(`${path}/`), `${where} is not below ${path}`);
        await node.client.call('StopContainer', { containerId: container, timeout: 0 });
        assert.equal((await running).exitCode, 137);
      });
    }

    it("says OOMKilled when the pod's own limit was met", async () => {
      const pod = await node.pod('tight');
      const sandbox = await runSandbox(node, pod);
      const container = await createContainer(
        sandbox,
        node,
        containerConfig('main', ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1']),
        pod,
      );
      const above = join(await node.cgroup(container), '..');
      if (driver === 'systemd')
        await sh(`systemctl set-property --runtime ${pod.linux!.cgroupParent} MemoryMax=24M MemorySwapMax=0`);
      else {
        writeFileSync(join(above, 'memory.max'), String(24 * MIB));
        writeFileSync(join(above, 'memory.swap.max'), '0');
      }
      await node.client.call('StartContainer', { containerId: container });
      const { exitCode, reason, message } = await waitForExit(node, container, 120_000);
      assert.deepEqual([exitCode, reason], [137, 'OOMKilled']);
      assert.match(message, /limit of the pod's cgroup/);
    });

    it('tells what containers and pods use, with pressure', async () => {
      const busy = ['sh', '-c', 'for i in 1 2 3; do (while :; do :; done) & done; wait'];
      const { container, sandbox, cgroup } = await start('', busy, {
        resources: {
          memoryLimitInBytes: 64 * MIB,
          memorySwapLimitInBytes: 96 * MIB,
          cpuQuota: 50_000,
          cpuPeriod: 100_000,
        },
      });
      await eventually('there is pressure on the CPU', 60_000, async () => {
        const { stats } = await node.client.call('ContainerStats', { containerId: container });
        return stats!.cpu!.psi!.Some!.Total > 0n && stats!.cpu!.usageNanoCores!.value > 0n ? true : undefined;
      });
      // The rate is that of the time since the last look: over a short one a late timer lets more than the quota through.
      await sleep(8_000);
      const { stats } = await node.client.call('ContainerStats', { containerId: container });
      const { cpu, memory, swap, io } = stats!;
      assert.ok(cpu!.usageCoreNanoSeconds!.value <= BigInt(entry(cgroup, 'cpu.stat', 'usage_usec')) * 1000n);
      // Half a processor is the most; how little of that an emulated machine finds time for says nothing.
      const rate = Number(cpu!.usageNanoCores!.value) / 1e9;
      assert.ok(rate > 0 && rate < 0.8, `it uses ${rate} of a processor`);
      assert.equal(memory!.availableBytes!.value, BigInt(64 * MIB) - memory!.workingSetBytes!.value);
      assert.ok(memory!.rssBytes!.value > 0n && memory!.pageFaults!.value > 0n);
      assert.equal(swap!.swapUsageBytes!.value + swap!.swapAvailableBytes!.value, BigInt(32 * MIB));
      assert.ok(memory!.psi!.Full!.Total >= 0n && io!.psi!.Full!.Total >= 0n);
      const whole = (await node.client.call('PodSandboxStats', { podSandboxId: sandbox })).stats!.linux!;
      assert.ok(whole.cpu!.usageCoreNanoSeconds!.value > 0n && whole.cpu!.psi!.Some!.Total > 0n);
      // Pause, the shell and its three.
      assert.equal(whole.process!.processCount!.value, 5n);
    });

    it('uses swap as far as it may, and no further', async () => {
      const file = '/root/swap';
      await sh(
        `test -e ${file} || { dd if=/dev/zero of=${file} bs=1M count=128 && chmod 600 ${file} && mkswap ${file}; }; swapon ${file}`,
      );
      try {
        // A file in memory counts as its writer's, stays when it is written, and goes nowhere but to swap.
        const eats = (mib: number): string[] => [
          'sh',
          '-c',
          `dd if=/dev/zero of=/dev/shm/file bs=1M count=${mib}; exec sleep 1000`,
        ];
        const swaps = await start('', eats(40), {
          resources: { memoryLimitInBytes: 32 * MIB, memorySwapLimitInBytes: 96 * MIB },
        });
        await eventually('some of it is swapped', 240_000, async () => {
          const { stats } = await node.client.call('ContainerStats', { containerId: swaps.container });
          return stats!.swap!.swapUsageBytes!.value > BigInt(4 * MIB) ? true : undefined;
        });
        assert.equal((await statusOf(node, swaps.container)).state, ContainerState.RUNNING);
        assert.equal(entry(swaps.cgroup, 'memory.events', 'oom_kill'), 0);
        const none = await start(
          '',
          eats(40),
          { resources: { memoryLimitInBytes: 32 * MIB, memorySwapLimitInBytes: 32 * MIB } },
          'none',
        );
        await eventually('the kernel killed', 240_000, () =>
          entry(none.cgroup, 'memory.events', 'oom_kill') > 0 ? true : undefined,
        );
        assert.equal(value(none.cgroup, 'memory.swap.current'), '0');
      } finally {
        await node.clear();
        await sh(`swapoff ${file}`);
      }
    });

    it('ends what is frozen, what forks, and everything below', async () => {
      const frozen = await start('', ['sleep', '1000'], {}, 'frozen');
      writeFileSync(join(frozen.cgroup, 'cgroup.freeze'), '1');
      await node.client.call('StopContainer', { containerId: frozen.container, timeout: 1 });
      assert.equal((await statusOf(node, frozen.container)).exitCode, 137);
      const bomb = 'f() { while :; do (sleep 0.05; :) & done; }; trap "" TERM; f & f';
      const forks = await start(
        'crun',
        ['sh', '-c', bomb],
        { resources: { unified: { 'pids.max': '200' } } },
        'forks',
      );
      await node.client.call('StopContainer', { containerId: forks.container, timeout: 1 });
      assert.equal((await statusOf(node, forks.container)).exitCode, 137);
      await eventually('its cgroup is gone', 30_000, () => (existsSync(forks.cgroup) ? undefined : true));
    });

    it('keeps pods, their limits and their ends while the daemon is away', async () => {
      const stays = await start(
        'crun',
        ['sleep', '1000'],
        { resources: { memoryLimitInBytes: 64 * MIB } },
        'stays',
      );
      const ends = await start('runc', ['sh', '-c', 'sleep 3; exit 7'], {}, 'ends');
      await sh('systemctl kill -s KILL --kill-whom=main berth');
      await eventually('it serves again', 90_000, async () =>
        (await node.client.call('Version', {}).catch(() => undefined)) === undefined ? undefined : true,
      );
      await sh('systemctl restart berth');
      assert.equal((await statusOf(node, stays.container)).state, ContainerState.RUNNING);
      assert.equal(await shell(node, stays.container, 'echo alive'), 'alive\n');
      assert.equal(value(stays.cgroup, 'memory.max'), String(64 * MIB));
      assert.equal((await waitForExit(node, ends.container, 60_000)).exitCode, 7);
    });

    it('leaves no cgroup and no unit of a pod behind', async () => {
      const pods = await Promise.all(
        ['crun', 'runc', 'crun'].map((handler, at) => start(handler, ['sleep', '1000'], {}, `many-${at}`)),
      );
      for (const { sandbox } of pods) {
        await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
        await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
      }
      for (const { cgroup } of pods) {
        const above = cgroup.replace(/\/berth-[^/]+\.scope.*$|\/[0-9a-f]{64}$/, '');
        const left = existsSync(above) ? readdirSync(above, { withFileTypes: true }) : [];
        assert.deepEqual(
          left.filter((one) => one.isDirectory()).map(({ name }) => name),
          [],
        );
      }
      assert.equal(await sh("systemctl list-units --all --no-legend 'berth-*.scope'"), '');
    });
  });
