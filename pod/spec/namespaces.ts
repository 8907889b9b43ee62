import { Fault } from '../../ground/fault.ts';
import type { SpecInput } from './input.ts';
import type { OciNamespace } from './oci-spec.ts';

/**
 * The namespaces that the container joins or makes (config-linux.md, "Namespaces"; CRI NamespaceOption). Network,
 * IPC and UTS are the sandbox's; PID follows the container's own option. A cgroup namespace of its own hides the
 * node's tree on cgroup v2, as the peers do; privileged containers see the whole tree.
 *
 * Throws `unimplemented` for user namespaces and `invalid` for modes that the CRI does not define for a namespace.
 */
export function namespacesOf(input: SpecInput): OciNamespace[] {
  const options = input.container.security.namespaces;
  for (const [kind, mode] of [
    ['network', options.network],
    ['IPC', options.ipc],
  ] as const) {
    if (mode === 'container' || mode === 'target')
      throw new Fault(
        'invalid',
        `A container cannot have the ${kind} namespace mode ${mode}: pod and node exist`,
      );
  }
  if (options.userns !== undefined && options.userns.mode !== 'node')
    throw new Fault('unimplemented', 'User namespaces are not served', { hint: 'set hostUsers: true' });
  const namespaces: OciNamespace[] = [{ type: 'mount' }];
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
      if (input.namespaces.pid === undefined)
        throw new Fault(
          'invalid',
          `The container asks for the PID namespace of its ${mode}, which has none of its own`,
        );
      return { type: 'pid', path: input.namespaces.pid };
    default:
      return mode satisfies never;
  }
}
