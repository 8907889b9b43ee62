import { Fault } from '../ground/fault.ts';
import { sameMappings, type IdMapping } from '../native/id-mapping.ts';
import type { ContainerConfig, NamespaceMode, NamespaceOptions, SandboxConfig } from './config.ts';

/** The group and user that have no power; pause becomes them. */
const NOBODY = 65_534;
/** (uid_t)-1 means "unchanged" to the kernel, so the last id is the one before. */
const IDS = 2 ** 32 - 1;

/**
 * Which namespaces a pod may have (CRI, message NamespaceOption). With a user namespace the PID and IPC namespaces have
 * to be the pod's own: those of the node belong to the node's user namespace, whose /proc and message queues the
 * kernel does not let the pod mount. Throws `invalid`.
 */
export function checkSandboxNamespaces({ security }: SandboxConfig): void {
  const { network, ipc, pid, userns } = security.namespaces;
  requireMode('network', network, 'pod', 'node');
  requireMode('IPC', ipc, 'pod', 'node');
  requireMode('PID', pid, 'pod', 'container', 'node');
  if (userns === undefined) return;
  requireMode('user', userns.mode, 'pod', 'node');
  if (userns.mode === 'node') {
    if (userns.uids.length + userns.gids.length > 0)
      throw refused("The pod uses the node's user namespace and maps ids", 'ids are mapped with mode POD');
    return;
  }
  checkMappings('user', userns.uids);
  checkMappings('group', userns.gids);
  for (const [kind, mode] of [
    ['PID', pid],
    ['IPC', ipc],
  ] as const) {
    if (mode === 'node')
      throw refused(
        `A pod with a user namespace cannot have the node's ${kind} namespace`,
        'set one of them only',
      );
  }
}

/**
 * Whether a container fits its sandbox. Mode `pod` means what the sandbox has, be it the node's; what the sandbox does
 * not share with the node a container cannot. The user namespace is the sandbox's alone. Throws `invalid`.
 */
export function checkContainerNamespaces(sandbox: SandboxConfig, container: ContainerConfig): void {
  const own = sandbox.security.namespaces;
  const asked = container.security.namespaces;
  requireMode('network', asked.network, 'pod', 'node');
  requireMode('IPC', asked.ipc, 'pod', 'node');
  for (const [kind, wanted, has] of [
    ['network', asked.network, own.network],
    ['IPC', asked.ipc, own.ipc],
    ['PID', asked.pid, own.pid],
  ] as const) {
    if (wanted === 'node' && has !== 'node')
      throw refused(`The container asks for the node's ${kind} namespace, and its pod has its own`);
  }
  if (asked.pid === 'pod' && own.pid === 'container')
    throw refused('The container asks for the PID namespace of its pod, which has none of its own');
  checkSameUserNamespace(own.userns, asked.userns);
}

function checkSameUserNamespace(own: NamespaceOptions['userns'], asked: NamespaceOptions['userns']): void {
  const mode = own?.mode ?? 'node';
  if ((asked?.mode ?? 'node') !== mode)
    throw refused(
      `The container's user namespace mode is ${asked?.mode ?? 'node'}, and its pod's is ${mode}`,
      'both need the same usernsOptions',
    );
  if (own === undefined || asked === undefined) return;
  if (!sameMappings(own.uids, asked.uids) || !sameMappings(own.gids, asked.gids))
    throw refused("The container's id mappings are not those of its pod", 'both need the same usernsOptions');
}

function checkMappings(kind: 'user' | 'group', mappings: readonly IdMapping[]): void {
  const [range] = mappings;
  if (range === undefined) throw refused(`The user namespace maps no ${kind} ids`);
  if (mappings.length > 1)
    throw refused(`The user namespace maps ${mappings.length} ranges of ${kind} ids: there can be one`);
  if (range.containerId !== 0) throw refused(`The user namespace does not map the ${kind} id 0`);
  if (range.length <= NOBODY)
    throw refused(
      `The user namespace maps ${range.length} ${kind} ids: nobody (${NOBODY}) has to be one of them`,
    );
  if (range.hostId + range.length > IDS)
    throw refused(`The user namespace maps ${kind} ids of the node that do not exist (above ${IDS - 1})`);
}

function requireMode(kind: string, mode: NamespaceMode, ...modes: NamespaceMode[]): void {
  if (!modes.includes(mode))
    throw refused(`There is no ${kind} namespace mode ${mode} here: it has to be ${modes.join(' or ')}`);
}

function refused(what: string, hint?: string): Fault {
  return new Fault('invalid', what, { hint });
}
