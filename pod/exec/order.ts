import { readFileSync } from 'node:fs';
import { isErrno } from '../../native/errno.ts';
import { nodeHierarchy } from '../cgroup/hierarchy.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { EntryOrder } from './entry.ts';
import type { OciProcess } from '../spec/oci-spec.ts';
import { commandTemplate } from './template.ts';

/** What the entry needs to take this command into this container. */
export function entryOrder(
  parts: Parts,
  container: Container,
  command: string[],
  terminal = false,
): EntryOrder {
  const { process, filter } = commandTemplate(parts, container);
  const { userns } = container.record.config.security.namespaces;
  return {
    process: commandProcess(process, command, terminal),
    filter: typeof filter === 'string' ? undefined : filter,
    cgroupPath: commandCgroup(container),
    containerId: container.id,
    userns: userns?.mode === 'pod' ? userns : undefined,
    terminal,
  };
}

/**
 * The cgroup that the command is to be in. On v2 it is where the container's first process is: a runtime may have put
 * that into a cgroup of its own below the container's (crun with the systemd driver), and a container that divides its
 * cgroup has none of its processes at the top (cgroup-v2.rst, "No Internal Process Constraint").
 */
function commandCgroup({ record }: Container): string {
  const { cgroupPath, monitored } = record;
  if (nodeHierarchy().version === 1 || monitored === undefined) return cgroupPath;
  const actual = unifiedCgroupOf(monitored.init.pid);
  return actual?.startsWith(`${cgroupPath}/`) === true ? actual : cgroupPath;
}

/** undefined when the process is gone. */
function unifiedCgroupOf(pid: number): string | undefined {
  try {
    return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** The container's process with another command. Programs at a terminal want to know its kind. */
export function commandProcess(process: OciProcess, args: string[], terminal: boolean): OciProcess {
  const known = process.env.some((entry) => entry.startsWith('TERM='));
  return {
    ...process,
    args,
    terminal,
    env: terminal && !known ? [...process.env, 'TERM=xterm'] : process.env,
  };
}
