import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../ground/wait.ts';
import { mounts } from '../../native/mountinfo.ts';
import { nodeHierarchy, type CgroupHierarchy } from '../cgroup/hierarchy.ts';
import { cgroupProcesses, killCgroup, removeCgroup } from '../cgroup/kill.ts';
import { CommandCgroup } from './command-cgroup.ts';

const TOP = `/berth-test-command-${process.pid}`;

/** A hybrid node has a v2 tree as well: without controllers, but with processes and their end. */
function v2(): CgroupHierarchy {
  const unified = mounts().find((mount) => mount.fstype === 'cgroup2' && mount.root === '/');
  assert.ok(unified, 'this node has no v2 tree');
  return { version: 2, trees: [unified.target] };
}

describe('the cgroup of a command', () => {
  const hierarchy = v2();
  const tree = hierarchy.trees[0]!;
  beforeEach(() => mkdirSync(join(tree, TOP)));
  afterEach(async () => {
    await killCgroup(TOP, hierarchy);
    await removeCgroup(TOP, hierarchy);
  });

  const inside = (cgroup: CommandCgroup, script: string): void => {
    const directory = join(tree, TOP, cgroup.flag);
    spawn('/bin/sh', ['-c', `echo 0 > ${directory}/cgroup.procs; ${script}`], { stdio: 'ignore' });
  };
  const until = async (there: () => boolean): Promise<void> => {
    while (!there()) await sleep(5);
  };

  it('dies as a whole on v2, and nothing else does', async () => {
    const cgroup = CommandCgroup.open(TOP, 'each', hierarchy)!;
    const other = CommandCgroup.open(TOP, 'all', hierarchy)!;
    assert.match(cgroup.flag, /^berth-exec-[\d-]+$/);
    inside(cgroup, 'setsid sh -c "sleep 100 & exit 0" & setsid sleep 100');
    inside(other, 'exec sleep 100');
    const members = (one: CommandCgroup): number => cgroupProcesses(`${TOP}/${one.flag}`, hierarchy).length;
    await until(() => members(cgroup) >= 2 && members(other) === 1);
    cgroup.kill();
    await cgroup[Symbol.asyncDispose]();
    await until(() => !existsSync(join(tree, TOP, cgroup.flag)));
    assert.equal(members(other), 1);
    other.kill();
    await other[Symbol.asyncDispose]();
    await until(() => readdirSync(join(tree, TOP)).every((name) => !name.startsWith('berth-exec-')));
  });

  it('stays for what lives on, and goes with a later one', async () => {
    const first = CommandCgroup.open(TOP, 'all', hierarchy)!;
    inside(first, 'exec sleep 100');
    await until(() => cgroupProcesses(TOP, hierarchy).length === 1);
    await first[Symbol.asyncDispose]();
    await using second = CommandCgroup.open(TOP, 'all', hierarchy)!;
    assert.ok(existsSync(join(tree, TOP, first.flag)) && existsSync(join(tree, TOP, second.flag)));
    writeFileSync(join(tree, TOP, first.flag, 'cgroup.kill'), '1');
    await until(() => cgroupProcesses(TOP, hierarchy).length === 0);
    await using third = CommandCgroup.open(TOP, 'all', hierarchy)!;
    assert.equal(existsSync(join(tree, TOP, first.flag)), false);
    assert.ok(existsSync(join(tree, TOP, second.flag)) && existsSync(join(tree, TOP, third.flag)));
  });

  it('is not there where the runtime has none, or the container has ended', () => {
    assert.equal(CommandCgroup.open(TOP, 'none', hierarchy), undefined);
    assert.equal(CommandCgroup.open(`${TOP}/gone`, 'all', hierarchy), undefined);
    assert.equal(CommandCgroup.open(`${TOP}/gone`, 'each', nodeHierarchy()), undefined);
  });
});
