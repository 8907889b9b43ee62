import { readdirSync, readFileSync } from 'node:fs';
import { processesOf } from './node-processes.ts';
import type { TestNode } from './node.ts';

/** The machine's pid of a container's first process: the one in its cgroups that is number 1 in its own namespace. */
export function initOf(container: string): number {
  const found = readdirSync('/proc').find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(container) &&
        /NSpid:\t\d+\t1\n/.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
      );
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  if (found === undefined) throw new Error(`The first process of container ${container} cannot be found`);
  return Number(found);
}

/** The pid of the conmon of a container. */
export function monitorOf(node: TestNode, container: string): number {
  const found = processesOf(node).find(
    ({ command }) => /conmon/.test(command) && command.includes(container),
  );
  if (found === undefined) throw new Error(`${container} has no monitor`);
  return found.pid;
}
