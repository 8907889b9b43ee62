import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesOf, readProcLink } from '../node-processes.ts';
import { cgroupsBelow } from '../node-space.ts';
import { TestNode } from '../node.ts';
import { sweepStrays } from '../strays.ts';
import { makePodCgroup, removeIdlePodCgroups } from '../pod-cgroups.ts';

describe('a test node', () => {
  /** Things that outlive a daemon: a process in its own session and in a cgroup, a pin, a frozen process. */
  async function inhabit(node: TestNode): Promise<void> {
    const cgroup = `${node.cgroupParent}/kubepods/pod1`;
    makePodCgroup(cgroup);
    const [file, ...argv] = node.space.inside(['setsid', 'sh', '-c', 'sleep infinity & exec sleep infinity']);
    // Marked as all of a node's processes are that are in no cgroup of it: setsid forks before it can be put into one.
    const env = { ...process.env, BERTH_TEST_NODE: `${node.directory}/` };
    const child = spawn(file!, argv, { stdio: 'ignore', detached: true, env });
    child.unref();
    for (const path of cgroupsBelow(cgroup)) writeFileSync(join(path, 'cgroup.procs'), String(child.pid));
    const pin = join(node.state, 'pin');
    writeFileSync(pin, '');
    await node.exec(['unshare', `--net=${pin}`, 'true']);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const path of cgroupsBelow(cgroup))
      if (existsSync(join(path, 'freezer.state'))) writeFileSync(join(path, 'freezer.state'), 'FROZEN');
    assert.ok(processesOf(node).length >= 2);
  }

  it('has namespaces of its own, and the host keeps its', async () => {
    const node = await TestNode.make();
    try {
      for (const name of ['ns/mnt', 'ns/net'])
        assert.notEqual(readProcLink(node.holder, name), readProcLink(process.pid, name));
      assert.match(await node.exec(['ip', 'link', 'show', 'lo']), /UP/);
      await node.exec(['sh', '-c', 'touch /run/x && mkdir -p /var/lib/berth-harness']);
      assert.ok(!existsSync('/var/lib/berth-harness'));
      await node.exec(['test', '!', '-e', '/sys/fs/cgroup/unified/cgroup.procs']);
    } finally {
      await node.destroy();
    }
  });

  it('is gone when it is destroyed, whatever lived in it', async () => {
    const node = await TestNode.make();
    await inhabit(node);
    const { directory, cgroupParent, holder } = node;
    await node.destroy();
    assert.ok(!existsSync(directory));
    assert.deepEqual(cgroupsBelow(cgroupParent), []);
    assert.ok(readProcLink(holder, 'ns/net') === undefined);
  });

  it('is swept when the process that made it was killed', async () => {
    const node = await TestNode.make();
    await inhabit(node);
    const { directory, cgroupParent, holder } = node;
    assert.ok(!(await sweepStrays()).includes(directory), 'it has its owner');
    writeFileSync(join(directory, 'owner'), `${process.pid} 1`);
    assert.ok((await sweepStrays()).includes(directory));
    assert.ok(!existsSync(directory));
    assert.deepEqual(cgroupsBelow(cgroupParent), []);
    assert.ok(readProcLink(holder, 'ns/net') === undefined);
  });

  it('keeps its disk over a reboot, and nothing else', async () => {
    const node = await TestNode.make();
    try {
      await inhabit(node);
      writeFileSync(join(node.root, 'kept'), '');
      const before = node.holder;
      await node.reboot();
      assert.notEqual(node.holder, before);
      assert.deepEqual(processesOf(node), []);
      assert.ok(existsSync(join(node.root, 'kept')) && !existsSync(join(node.state, 'pin')));
      removeIdlePodCgroups(node.cgroupParent);
      assert.deepEqual(cgroupsBelow(`${node.cgroupParent}/kubepods`), []);
    } finally {
      await node.destroy();
    }
  });
});
