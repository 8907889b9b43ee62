import assert from 'node:assert/strict';
import { containerCgroup, ociCgroupsPath, parentPath } from './paths.ts';

describe('cgroup paths', () => {
  it('are paths with the cgroupfs driver', () => {
    assert.equal(parentPath('cgroupfs', '/kubepods/burstable/pod1'), '/kubepods/burstable/pod1');
    assert.equal(parentPath('cgroupfs', 'kubepods//pod1/'), '/kubepods/pod1');
    assert.equal(containerCgroup('cgroupfs', '/kubepods/pod1', 'c1'), '/kubepods/pod1/c1');
    assert.equal(ociCgroupsPath('cgroupfs', '/kubepods/pod1', 'c1'), '/kubepods/pod1/c1');
  });

  it('are slices with the systemd driver', () => {
    assert.equal(
      parentPath('systemd', 'kubepods-burstable-pod1.slice'),
      '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice',
    );
    assert.equal(containerCgroup('systemd', 'a.slice', 'c1'), '/a.slice/berth-c1.scope');
    assert.equal(
      ociCgroupsPath('systemd', '/kubepods.slice/kubepods-a.slice', 'c1'),
      'kubepods-a.slice:berth:c1',
    );
  });

  it('mean the same place with both drivers', () => {
    const path = '/a.slice/a-b.slice';
    for (const driver of ['cgroupfs', 'systemd'] as const)
      for (const parent of ['a-b.slice', path]) assert.equal(parentPath(driver, parent), path);
    assert.equal(containerCgroup('cgroupfs', 'a-b.slice', 'c1'), `${path}/c1`);
    assert.equal(ociCgroupsPath('cgroupfs', 'a-b.slice', 'c1'), `${path}/c1`);
    assert.equal(parentPath('cgroupfs', '/own/a-b.slice'), '/own/a-b.slice');
    assert.throws(() => parentPath('systemd', '/own/a-b.slice'), {
      kind: 'invalid',
      message: /that slice is \/a\.slice\/a-b\.slice/,
    });
  });

  it('do not leave the tree', () => {
    for (const bad of ['', '/', '..', '/a/../..', '/a/../b', 'a\0'])
      assert.throws(() => parentPath('cgroupfs', bad), { kind: 'invalid' }, bad);
    for (const bad of ['', '.slice', 'a--b.slice', '-a.slice', 'a-.slice', '/kubepods/pod1'])
      assert.throws(() => parentPath('systemd', bad), { kind: 'invalid' }, bad);
  });
});
