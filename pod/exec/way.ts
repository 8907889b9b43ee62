import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { cgroupDirectories, nodeHierarchy } from '../cgroup/hierarchy.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import { commandTemplate } from './template.ts';

/**
 * Why a command has to be taken into this container by its OCI runtime; undefined when the daemon itself can do it
 * (`joining.ts`), which takes a fifth of the time.
 */
export function whyByRuntime(parts: Parts, container: Container): string | undefined {
  const { record } = container;
  if (parts.handlers.pick(record.handler).exec === 'oci') return 'the handler is configured so';
  const node = nodeReason();
  if (node !== undefined) return node;
  if (record.monitored === undefined) return 'its first process is not known';
  const { process, filter } = commandTemplate(parts, container);
  if (process.selinuxLabel !== undefined) return 'it has an SELinux label';
  if (filter === 'untranslated') return 'only the runtime can translate its system call filter';
  const hierarchy = nodeHierarchy();
  // systemd has a hierarchy of v1 for itself, in which the OCI runtime puts what it takes in.
  if (hierarchy.version === 1 && parts.settings.cgroupDriver === 'systemd')
    return 'systemd makes the cgroups';
  const missing = cgroupDirectories(hierarchy, record.cgroupPath).find((path) => !existsSync(path));
  return missing === undefined ? undefined : `it has no cgroup ${missing}`;
}

/** What holds for every container of this node. */
function nodeReason(): string | undefined {
  if (process.arch !== 'x64') return 'the entry is written for x86-64';
  // setns(2) with a pidfd is of 5.8, close_range(2) of 5.9; clone3(2) into a cgroup of v2 of 5.7.
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 9) ? undefined : 'the kernel is older than 5.9';
}
