import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CgroupHierarchy } from './hierarchy.ts';
import { cgroupsNamed } from './orphans.ts';

describe('cgroupsNamed', () => {
  let root: string;
  let hierarchy: CgroupHierarchy;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-cgroups-'));
    const trees = ['memory', 'pids'].map((name) => join(root, name));
    hierarchy = { version: 1, trees, controllers: new Map() };
    for (const path of [
      'memory/kubepods/pod1/abc',
      'memory/kubepods/pod1/berth-abc/below',
      'memory/kubepods/pod1/abcd',
      'pids/kubepods/pod1/abc',
      'pids/other.slice/berth-abc.scope',
    ])
      mkdirSync(join(root, path), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('finds those of an id in every tree, each once', () => {
    assert.deepEqual(cgroupsNamed('abc', hierarchy).sort(), [
      '/kubepods/pod1/abc',
      '/kubepods/pod1/berth-abc',
      '/other.slice/berth-abc.scope',
    ]);
  });
  it('finds nothing of an id that is not there', () => {
    assert.deepEqual(cgroupsNamed('xyz', hierarchy), []);
  });
});
