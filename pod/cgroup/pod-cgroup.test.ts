import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../ground/wait.ts';
import { allTrees, controllerDirectory, nodeHierarchy } from './hierarchy.ts';
import { cgroupProcesses, killCgroup, removeCgroup } from './kill.ts';
import {
  createPodCgroup,
  joinPodCgroup,
  makePodCgroup,
  planPodCgroup,
  removePodCgroup,
} from './pod-cgroup.ts';
import { processesBelow } from './processes.ts';
import { oomKills } from './oom.ts';
import { cgroupStats, taskCount } from './stats.ts';

const TOP = `/berth-test-${process.pid}`;

describe('a pod’s cgroup', () => {
  const children: ChildProcess[] = [];
  const child = async (command: string): Promise<number> => {
    const process = spawn('/bin/sh', ['-c', command], { stdio: 'ignore' });
    children.push(process);
    await new Promise((resolve) => process.once('spawn', resolve));
    return process.pid!;
  };

  /** Waits for what the kernel and other processes do in their own time; the test's own limit ends it. */
  const until = async (there: () => boolean): Promise<void> => {
    while (!there()) await sleep(5);
  };

  afterEach(async () => {
    for (const process of children.splice(0)) process.kill('SIGKILL');
    await killCgroup(TOP);
    await removeCgroup(TOP);
  });

  it('is made in every tree and leaves nothing behind', async () => {
    const cgroup = createPodCgroup(`${TOP}/pod1`, 's1');
    assert.equal(cgroup.path, nodeHierarchy().version === 2 ? `${TOP}/pod1/berth-s1` : `${TOP}/pod1`);
    for (const directory of cgroup.join) assert.ok(existsSync(directory), directory);
    await removePodCgroup(cgroup);
    for (const tree of allTrees(nodeHierarchy())) assert.ok(!existsSync(join(tree, TOP)), tree);
    await removePodCgroup(cgroup);
  });

  it('removes only what it made', async () => {
    const kubelets = createPodCgroup(`${TOP}/pod1`);
    const ours = createPodCgroup(`${TOP}/pod1`, 's1');
    await removePodCgroup(ours);
    for (const directory of kubelets.join) assert.ok(existsSync(directory), directory);
    await removePodCgroup(kubelets);
  });

  it('leaves shared parents to the last pod', async () => {
    const first = createPodCgroup(TOP, 's1');
    const second = planPodCgroup(TOP, 's2', new Set(first.made));
    makePodCgroup(second);
    await removePodCgroup(first, new Set(second.made));
    for (const directory of second.join) assert.ok(existsSync(directory), directory);
    await removePodCgroup(second);
    assert.ok(!existsSync(join(nodeHierarchy().trees[0]!, TOP)));
  });

  it('takes a process into every tree, counts it, and kills it', async () => {
    const cgroup = createPodCgroup(TOP, 's1');
    const pid = await child('while :; do sleep 100; done');
    await joinPodCgroup(cgroup, pid);
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
    assert.equal(lines.filter((line) => line.endsWith(cgroup.path)).length, cgroup.join.length);
    assert.ok(cgroupProcesses(TOP).includes(pid));
    await killCgroup(TOP);
    assert.deepEqual(cgroupProcesses(TOP), []);
    await removePodCgroup(cgroup);
  });

  it('kills what forks all the time', async () => {
    const cgroup = createPodCgroup(TOP, 's1');
    const pid = await child('sleep 0.05; while :; do sleep 5 & sleep 0.005; done');
    await joinPodCgroup(cgroup, pid);
    await until(() => cgroupProcesses(TOP).length > 3);
    await killCgroup(TOP);
    await removePodCgroup(cgroup);
  });

  it('owes the removal while processes live in it', async () => {
    const cgroup = createPodCgroup(TOP, 's1');
    const pid = await child('sleep 100');
    await joinPodCgroup(cgroup, pid);
    await assert.rejects(removePodCgroup(cgroup), { kind: 'precondition' });
    await killCgroup(cgroup.path);
    await removePodCgroup(cgroup);
    assert.deepEqual(
      cgroup.made.filter((directory) => existsSync(directory)),
      [],
    );
  });

  it('has numbers while it is there', async () => {
    const cgroup = createPodCgroup(TOP, 's1');
    const pid = await child('while :; do :; done');
    await joinPodCgroup(cgroup, pid);
    // Its time is accounted as it runs, however late that is.
    await until(() => cgroupStats(TOP)!.cpuUsageNs > 0n);
    const stats = cgroupStats(TOP)!;
    assert.equal(taskCount(TOP), 1n);
    assert.deepEqual(processesBelow(TOP), [pid]);
    assert.ok(stats.workingSetBytes <= stats.memoryUsageBytes);
    assert.equal(stats.memoryAvailableBytes, undefined);
    assert.equal(oomKills(cgroup.path), 0);
    await killCgroup(TOP);
    await removePodCgroup(cgroup);
    assert.equal(cgroupStats(TOP), undefined);
    assert.equal(oomKills(cgroup.path), undefined);
  });

  it('copies the CPUs of the parent into a new cpuset', async () => {
    const hierarchy = nodeHierarchy();
    const cgroup = createPodCgroup(TOP, 's1');
    const directory = controllerDirectory(hierarchy, 'cpuset', cgroup.path);
    if (hierarchy.version === 1 && directory !== undefined)
      assert.notEqual(readFileSync(join(directory, 'cpuset.cpus'), 'utf8').trim(), '');
    await removePodCgroup(cgroup);
  });
});
