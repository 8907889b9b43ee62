import { placeOfContainer } from '../cgroup/scope.ts';
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
 * The cgroup that the command is to be in. On v2 it is where the container's first process is now: a container that
 * divides its cgroup has none of its processes at the top (cgroup-v2.rst, "No Internal Process Constraint").
 */
function commandCgroup({ record }: Container): string {
  const { cgroupPath, monitored } = record;
  return monitored === undefined ? cgroupPath : placeOfContainer(cgroupPath, monitored.init.pid);
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
