import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cgroupHierarchies, cgroupsBelow } from './node-space.ts';

/*
 * The kubelet's part of a pod's cgroup: it makes the pod's parent in every hierarchy before it asks for the sandbox,
 * and removes it once the sandbox is gone. The runtime only owns what is below.
 */

/** Makes a pod's cgroup as the kubelet does. */
export function makePodCgroup(path: string): void {
  for (const hierarchy of cgroupHierarchies()) {
    const parts = path.split('/').filter(Boolean);
    parts.forEach((_, index) => makeOne(join(hierarchy, ...parts.slice(0, index + 1))));
  }
}

/** On v2 a cgroup has only the controllers that its parent hands down. */
function handDown(directory: string): void {
  const controllers = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').trim().split(' ');
  const wanted = controllers.map((name) => `+${name}`).join(' ');
  writeFileSync(join(directory, 'cgroup.subtree_control'), wanted);
}

function makeOne(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(path);
  if (existsSync(join(path, 'cgroup.controllers'))) {
    // The v2 tree of a hybrid machine is to keep what it has: a controller that is used there is nobody else's any more.
    if (existsSync('/sys/fs/cgroup/cgroup.controllers')) handDown(dirname(path));
    return;
  }
  // A v1 cpuset without processors or memory nodes takes no process.
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const file = join(path, name);
    if (existsSync(file)) writeFileSync(file, readFileSync(join(dirname(path), name)));
  }
}

/**
 * Removes the pods' cgroups below `parent` that hold nothing any more, as the kubelet's housekeeping does; `uid`: only
 * those of one pod.
 */
export function removeIdlePodCgroups(parent: string, uid = ''): void {
  const pods = cgroupsBelow(parent).filter((path) => /\/pod[0-9a-f-]{36}$/.test(path) && path.endsWith(uid));
  for (const path of pods)
    try {
      rmdirSync(path);
    } catch {
      // It holds something: that is for the census to say.
    }
}
