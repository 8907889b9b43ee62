import { existsSync, readFileSync } from 'node:fs';
import { controllerDirectory, nodeHierarchy, type CgroupHierarchy } from '../cgroup/hierarchy.ts';
import { capabilitiesOfMask } from './capabilities.ts';
import { apparmorAvailable } from '../apparmor/apparmor.ts';
import type { NodeFacts } from './input.ts';

const CAP_SYS_RESOURCE = 'CAP_SYS_RESOURCE';

let facts: NodeFacts | undefined;

/** What this node and this daemon can give to containers. Read once: none of it changes while both live. */
export function nodeFacts(): NodeFacts {
  facts ??= readNodeFacts(nodeHierarchy());
  return facts;
}

function readNodeFacts(hierarchy: CgroupHierarchy): NodeFacts {
  const status = readFileSync('/proc/self/status', 'latin1');
  const boundingCapabilities = capabilitiesOfMask(field(status, 'CapBnd') ?? '0');
  return {
    arch: process.arch,
    cgroupVersion: hierarchy.version,
    boundingCapabilities,
    // The line is there exactly when the kernel has CONFIG_SECCOMP (proc_pid_status(5)).
    seccomp: field(status, 'Seccomp') !== undefined && existsSync('/proc/sys/kernel/seccomp'),
    apparmor: apparmorAvailable(),
    selinux: existsSync('/sys/fs/selinux/enforce'),
    hugetlb: hasHugetlb(hierarchy),
    swapAccounting: hasSwapAccounting(hierarchy),
    // Without the capability a process cannot go below what it has (proc(5), oom_score_adj).
    minOomScoreAdj: boundingCapabilities.includes(CAP_SYS_RESOURCE)
      ? -1000
      : Number(readFileSync('/proc/self/oom_score_adj', 'latin1')),
  };
}

function hasHugetlb(hierarchy: CgroupHierarchy): boolean {
  if (hierarchy.version === 1) return hierarchy.controllers.has('hugetlb');
  return readFileSync(`${hierarchy.trees[0]}/cgroup.controllers`, 'latin1')
    .trim()
    .split(' ')
    .includes('hugetlb');
}

function hasSwapAccounting(hierarchy: CgroupHierarchy): boolean {
  // The root of v2 has no memory.swap.max; a kernel built with swap, and so with its accounting, has this file.
  if (hierarchy.version === 2) return existsSync('/proc/swaps');
  const root = controllerDirectory(hierarchy, 'memory', '/');
  return root !== undefined && existsSync(`${root}/memory.memsw.limit_in_bytes`);
}

function field(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
}
