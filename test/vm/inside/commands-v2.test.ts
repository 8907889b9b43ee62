import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually, runPod, shell } from '../../pods.ts';
import { ServiceNode, sh } from './service-node.ts';

for (const driver of ['systemd', 'cgroupfs'] as const)
  describe(`commands on cgroup v2 with the ${driver} driver`, () => {
    let node: ServiceNode;
    before(async () => {
      node = await ServiceNode.start(driver);
    });
    afterEach(() => node.clear());
    after(() => node.stop());

    for (const handler of ['crun', 'runc'])
      it(`join in process, inside the container's cgroup and cgroup namespace, with ${handler}`, async () => {
        const { container } = await runPod(node, 'v2', ['sleep', '1000'], {
          handler,
          pod: await node.pod('v2'),
        });
        const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
        const pid = info['pid']!;
        const own = (path: string): string => readFileSync(`/proc/${path}`, 'utf8');
        const seen = await shell(
          node,
          container,
          'cat /proc/self/cgroup; readlink /proc/self/ns/cgroup /proc/1/ns/cgroup; sleep 1000 > /dev/null 2>&1 & echo',
        );
        const [cgroup, mine, first] = seen.trim().split('\n');
        assert.equal(cgroup, '0::/');
        assert.equal(mine, first);
        const directory = `/sys/fs/cgroup${own(`${pid}/cgroup`).trim().slice('0::'.length)}`;
        const members = (): string[] => readFileSync(`${directory}/cgroup.procs`, 'utf8').trim().split('\n');
        // The first process, the supervisor that stays, and what the command left behind.
        const three = await eventually('all are in it', 10_000, () =>
          members().length === 3 ? members() : undefined,
        );
        const names = three.map((member) => own(`${member}/comm`).trim());
        assert.deepEqual(names.toSorted(), ['berth-exec', 'sleep', 'sleep']);
      });

    it('join the first process where it is when the container divides its cgroup', async () => {
      const { container } = await runPod(node, 'divided', ['sleep', '1000'], {
        pod: await node.pod('divided'),
      });
      const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
      const directory = `/sys/fs/cgroup${readFileSync(`/proc/${info['pid']}/cgroup`, 'utf8').trim().slice(3)}`;
      await sh(`mkdir ${directory}/leaf && echo ${info['pid']} > ${directory}/leaf/cgroup.procs &&
       echo +pids > ${directory}/cgroup.subtree_control`);
      assert.equal(await shell(node, container, 'cat /proc/self/cgroup'), '0::/leaf\n');
    });
  });
