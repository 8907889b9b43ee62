import assert from 'node:assert/strict';
import type { MountInfo } from '../native/mount.ts';
import { recursiveReadOnly } from './handler-features.ts';

const mount = (target: string, options: string): MountInfo => ({
  id: 1,
  parent: 0,
  device: '0:1',
  root: '/',
  target,
  options,
  propagation: [],
  fstype: 'sysfs',
  source: 'sysfs',
  superOptions: 'rw',
});

describe('recursive read-only mounts of a runtime', () => {
  const node = [mount('/sys', 'rw,nosuid'), mount('/sys/fs/cgroup', 'ro'), mount('/sys/fs/cgroup/cpu', 'rw')];

  it('are there when what is writable on the node is not in the container', () => {
    const inside = [mount('/recursive', 'ro'), mount('/recursive/fs/cgroup/cpu', 'ro,nosuid')];
    assert.equal(recursiveReadOnly(node, inside), true);
  });

  it('are not there when a submount can be written', () => {
    const inside = [mount('/recursive', 'ro'), mount('/recursive/fs/cgroup/cpu', 'rw,nosuid')];
    assert.equal(recursiveReadOnly(node, inside), false);
  });

  it('are not claimed when no submount could tell', () => {
    assert.equal(recursiveReadOnly([node[0]!, node[1]!], [mount('/recursive/fs/cgroup', 'ro')]), false);
    assert.equal(recursiveReadOnly(node, [mount('/recursive', 'ro')]), false);
  });
});
