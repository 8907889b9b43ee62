import type { SpecInput } from './input.ts';
import type { OciNamespace } from './oci-spec.ts';

/**
 * The namespaces that the container joins or makes (config-linux.md, "Namespaces"; CRI NamespaceOption). Network,
 * IPC and UTS are the sandbox's; PID follows the container's own option. A cgroup namespace of its own hides the
 * node's tree on cgroup v2, as the peers do; privileged containers see the whole tree.
 *
 * What may be asked for was checked before (`namespace-rules.ts`).
 */
export function namespacesOf(input: SpecInput): OciNamespace[] {
  const namespaces: OciNamespace[] = [{ type: 'mount' }];
  // First: the others belong to it.
  if (input.userns !== undefined) namespaces.push({ type: 'user', path: input.userns.path });
  const { net, ipc, uts } = input.namespaces;
  if (net !== undefined) namespaces.push({ type: 'network', path: net });
  if (ipc !== undefined) namespaces.push({ type: 'ipc', path: ipc });
  if (uts !== undefined) namespaces.push({ type: 'uts', path: uts });
  const pid = pidNamespace(input);
  if (pid !== undefined) namespaces.push(pid);
  if (input.node.cgroupVersion === 2 && !input.container.security.privileged)
    namespaces.push({ type: 'cgroup' });
  return namespaces;
}

function pidNamespace(input: SpecInput): OciNamespace | undefined {
  const mode = input.container.security.namespaces.pid;
  switch (mode) {
    case 'container':
      return { type: 'pid' };
    case 'node':
      return undefined;
    case 'pod':
    case 'target':
      // Without one the pod, or the target, has the node's.
      return input.namespaces.pid === undefined ? undefined : { type: 'pid', path: input.namespaces.pid };
    default:
      return mode satisfies never;
  }
}
