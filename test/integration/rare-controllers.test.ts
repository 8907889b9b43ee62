import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { TestNode } from '../node.ts';
import { BUSYBOX, removeAllPods, runPod, shell, statusOf } from '../pods.ts';

/** Controllers of cgroup v1 that most nodes do not mount. This node has them in a view of its own. */
const RARE = ['net_cls', 'net_prio', 'perf_event', 'hugetlb'];
const PAGE = '2MB';
const LIMIT = 4 << 20;

const enabled = readFileSync('/proc/cgroups', 'utf8');
const v1 = statSync('/sys/fs/cgroup/memory', { throwIfNoEntry: false }) !== undefined;
const there = v1 ? RARE.filter((name) => new RegExp(`^${name}\\t\\d+\\t\\d+\\t1$`, 'm').test(enabled)) : [];

/** A node whose /sys/fs/cgroup has these trees beside those of the machine. */
async function nodeWith(controllers: string[]): Promise<TestNode> {
  const node = await TestNode.make();
  const script = `set -e
    cd /; mkdir ${node.directory}/cg; mount -t tmpfs -o mode=755 cg ${node.directory}/cg
    for tree in /sys/fs/cgroup/*; do
      mkdir "${node.directory}/cg/\${tree##*/}"; mount --rbind "$tree" "${node.directory}/cg/\${tree##*/}"
    done
    for name in ${controllers.join(' ')}; do
      mkdir ${node.directory}/cg/$name; mount -t cgroup -o $name $name ${node.directory}/cg/$name
    done
    mount --move ${node.directory}/cg /sys/fs/cgroup`;
  await node.exec(['sh', '-c', script]);
  return node;
}

describe('controllers of cgroup v1 that are mounted seldom', () => {
  let node: TestNode;
  let library: ImageLibrary;
  /** A directory of such a tree as the test sees it. */
  const seen = (controller: string, path: string): string =>
    node.space.seen(join('/sys/fs/cgroup', controller, path));

  before(async () => {
    assert.deepEqual(there, RARE, 'this machine has cgroups v1 and these controllers');
    library = await ImageLibrary.open();
    await library.push('busybox:1', busyboxImage());
    node = await nodeWith(RARE);
    await node.start();
    await library.serve(node);
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
  });
  after(async () => {
    // These trees outlive the node's view of them for as long as they hold a cgroup.
    const below = RARE.map((name) => join('/sys/fs/cgroup', name, node.cgroupParent));
    await node.exec([
      'sh',
      '-c',
      `find ${below.join(' ')} -depth -type d -exec rmdir {} + 2>/dev/null || true`,
    ]);
    await library?.close();
    await node?.destroy();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(node.logTail(20));
  });

  for (const handler of ['crun', 'runc'])
    it(`hold the container and its commands, limit huge pages, and are left clean, with ${handler}`, async () => {
      const { container } = await runPod(node, 'rare', ['sleep', '1000'], {
        handler,
        container: {
          linux: {
            resources: { hugepageLimits: [{ pageSize: PAGE, limit: BigInt(LIMIT) }] },
            securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 } },
          },
        },
      });
      const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
      const cgroup = JSON.parse(info['cgroup']!) as string;
      const pid = info['pid']!;
      const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      const command = await shell(node, container, 'cat /proc/self/cgroup');
      for (const controller of RARE) {
        const line = new RegExp(`:${controller}:${cgroup}(/[^\\n]*)?$`, 'm');
        assert.match(own, line);
        assert.match(command, line, `a command is in ${controller}`);
      }
      const limit = readFileSync(seen('hugetlb', join(cgroup, `hugetlb.${PAGE}.limit_in_bytes`)), 'utf8');
      assert.equal(Number(limit), LIMIT);
      assert.deepEqual((await statusOf(node, container)).resources?.linux?.hugepageLimits, [
        { pageSize: PAGE, limit: BigInt(LIMIT) },
      ]);
      await node.client.call('UpdateContainerResources', {
        containerId: container,
        linux: { hugepageLimits: [{ pageSize: PAGE, limit: BigInt(2 * LIMIT) }] },
      });
      const updated = readFileSync(seen('hugetlb', join(cgroup, `hugetlb.${PAGE}.limit_in_bytes`)), 'utf8');
      assert.equal(Number(updated), 2 * LIMIT);
      const { stats } = await node.client.call('ContainerStats', { containerId: container });
      assert.ok((stats?.memory?.usageBytes?.value ?? 0n) > 0n);
      await removeAllPods(node);
      for (const controller of RARE) {
        assert.equal(existsSync(seen(controller, cgroup)), false, controller);
        // Nobody had made the pod's cgroup there: it goes with the pod.
        assert.equal(existsSync(seen(controller, join(node.cgroupParent, 'kubepods'))), false, controller);
      }
    });
});
