import assert from 'node:assert/strict';
import { parseMountInfo } from '../../native/mountinfo.ts';
import { allTrees, cgroupDirectories, controllerDirectory, hierarchyOf } from './hierarchy.ts';

const TMPFS = '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n';
const V1 = `${TMPFS}32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`;
const UNIFIED = '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';

describe('hierarchyOf', () => {
  it('finds the trees of v1, one for controllers that share it', () => {
    const found = hierarchyOf(parseMountInfo(V1));
    assert.equal(found.version, 1);
    assert.deepEqual(found.trees, [
      '/sys/fs/cgroup/cpu,cpuacct',
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/systemd',
    ]);
    assert.equal(controllerDirectory(found, 'cpuacct', '/a'), '/sys/fs/cgroup/cpu,cpuacct/a');
    assert.equal(controllerDirectory(found, 'pids', '/a'), undefined);
    assert.equal(cgroupDirectories(found, '/a').length, 3);
  });

  it('takes a hybrid node for v1', () => {
    const found = hierarchyOf(parseMountInfo(V1 + UNIFIED));
    assert.equal(found.version, 1);
    assert.ok(!found.trees.includes('/sys/fs/cgroup/unified'));
    assert.deepEqual(allTrees(found), [...found.trees, '/sys/fs/cgroup/unified']);
    assert.deepEqual(allTrees(hierarchyOf(parseMountInfo(V1))), found.trees);
  });

  it('finds v2', () => {
    const found = hierarchyOf(
      parseMountInfo('41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n'),
    );
    assert.deepEqual(found, { version: 2, trees: ['/sys/fs/cgroup'] });
    assert.equal(controllerDirectory(found, 'memory', '/a'), '/sys/fs/cgroup/a');
  });

  it('takes the first of two mounts of a tree, and no mount of a part of one', () => {
    const found = hierarchyOf(
      parseMountInfo(
        `50 31 0:29 /docker/x /part rw - cgroup cgroup rw,cpu\n${V1}51 31 0:32 / /again rw - cgroup cgroup rw,memory\n`,
      ),
    );
    assert.equal(controllerDirectory(found, 'cpu', '/'), '/sys/fs/cgroup/cpu,cpuacct/');
    assert.ok(!found.trees.includes('/again'));
  });

  it('says when there is none', () => {
    assert.throws(() => hierarchyOf(parseMountInfo(TMPFS)), { kind: 'precondition' });
  });
});
