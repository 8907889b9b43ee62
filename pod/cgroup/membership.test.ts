import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { nodeHierarchy } from './hierarchy.ts';
import { cgroupProcesses, killCgroup, removeCgroup } from './kill.ts';
import { inCgroup } from './membership.ts';
import { createPodCgroup } from './pod-cgroup.ts';

const TOP = `/berth-test-member-${process.pid}`;
const membership = (): string => readFileSync('/proc/thread-self/cgroup', 'utf8');

describe('inCgroup', () => {
  before(function () {
    if (nodeHierarchy().version === 2) this.skip();
  });
  afterEach(async () => {
    await killCgroup(TOP);
    await removeCgroup(TOP);
  });

  it('gives birth inside and comes back', () => {
    const cgroup = createPodCgroup(TOP, 's1');
    const before = membership();
    const { result, member } = inCgroup(cgroup.join, () => spawn('/bin/sleep', ['100'], { stdio: 'ignore' }));
    assert.ok(member);
    assert.equal(membership(), before);
    assert.deepEqual(cgroupProcesses(TOP), [result.pid]);
    const lines = readFileSync(`/proc/${result.pid}/cgroup`, 'utf8').split('\n');
    assert.equal(lines.filter((line) => line.endsWith(cgroup.path)).length, cgroup.join.length);
  });

  it('comes back when the work throws, or the cgroup is only half there', () => {
    const cgroup = createPodCgroup(TOP, 's1');
    const before = membership();
    const fail = (): never => {
      throw new Error('on purpose');
    };
    assert.throws(() => inCgroup(cgroup.join, fail), /on purpose/);
    assert.equal(membership(), before);
    assert.throws(() => inCgroup([...cgroup.join, '/sys/fs/cgroup/cpu/berth-nowhere'], fail), {
      code: 'ENOENT',
    });
    assert.equal(membership(), before);
  });
});
