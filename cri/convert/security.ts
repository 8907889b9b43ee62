import type {
  ContainerSecurity,
  IdMapping,
  NamespaceMode,
  NamespaceOptions,
  SandboxSecurity,
  SeccompProfile,
} from '../../pod/config.ts';
import type * as wire from '../proto/codec.js';
import { absolute, filled, named, oneLine, refuse, whole } from './check.ts';
import { GROUPS_POLICIES, NAMESPACE_MODES, numberOf, PROFILE_TYPES } from './names.ts';

/** The largest user or group id: (uid_t)-1 means "unchanged" to the kernel. */
const MAX_ID = 0xffff_fffe;

/** Which modes each namespace can have (CRI, message NamespaceOption). */
const ALLOWED: Record<'network' | 'pid' | 'ipc', readonly NamespaceMode[]> = {
  network: ['pod', 'node'],
  ipc: ['pod', 'node'],
  pid: ['pod', 'container', 'node', 'target'],
};

const DEFAULT_NAMESPACES: NamespaceOptions = { network: 'pod', pid: 'pod', ipc: 'pod', targetId: '' };

/** Namespace modes; all `pod` when the caller says nothing, as the wire's zero values mean. */
export function namespacesFromWire(options: wire.NamespaceOption | null, path: string): NamespaceOptions {
  if (options === null) return DEFAULT_NAMESPACES;
  const mode = (kind: keyof typeof ALLOWED): NamespaceMode => {
    const found = named(NAMESPACE_MODES, options[kind], `${path}.${kind}`);
    return ALLOWED[kind].includes(found) ? found : refuse(`${path}.${kind}`, `cannot be ${found}`);
  };
  const pid = mode('pid');
  return {
    network: mode('network'),
    pid,
    ipc: mode('ipc'),
    targetId: pid === 'target' ? filled(options.targetId, `${path}.targetId`) : options.targetId,
    userns: usernsFromWire(options.usernsOptions, `${path}.usernsOptions`),
  };
}

function usernsFromWire(userns: wire.UserNamespace | null, path: string): NamespaceOptions['userns'] {
  if (userns === null) return undefined;
  const mode = named(NAMESPACE_MODES, userns.mode, `${path}.mode`);
  if (mode !== 'pod' && mode !== 'node') refuse(`${path}.mode`, `cannot be ${mode}`);
  const mapped = userns.uids.length > 0 && userns.gids.length > 0;
  if (mode === 'pod' && !mapped) refuse(path, 'maps no user or group ids');
  return {
    mode,
    uids: idMappings(userns.uids, `${path}.uids`),
    gids: idMappings(userns.gids, `${path}.gids`),
  };
}

/** Id mappings of a user namespace or a mount; none may be empty. */
export function idMappings(mappings: wire.IDMapping[], path: string): IdMapping[] {
  return mappings.map((mapping, index) =>
    mapping.length === 0 ? refuse(`${path}[${index}].length`, 'is 0') : mapping,
  );
}

/** The modes on their way back. */
export function namespacesToWire(namespaces: NamespaceOptions): wire.Input<wire.NamespaceOption> {
  const { network, pid, ipc, targetId, userns } = namespaces;
  return {
    network: numberOf(NAMESPACE_MODES, network),
    pid: numberOf(NAMESPACE_MODES, pid),
    ipc: numberOf(NAMESPACE_MODES, ipc),
    targetId,
    usernsOptions:
      userns === undefined
        ? undefined
        : { mode: numberOf(NAMESPACE_MODES, userns.mode), uids: userns.uids, gids: userns.gids },
  };
}

/** A seccomp or AppArmor profile; the older text form counts when the message is absent. */
function profile(
  message: wire.SecurityProfile | null,
  older: string,
  path: string,
  local: 'path' | 'name',
): SeccompProfile | undefined {
  if (message === null) return olderProfile(older, path, local);
  const type = named(PROFILE_TYPES, message.profileType, `${path}.profileType`);
  if (type !== 'localhost') return { type, localhostRef: '' };
  return { type, localhostRef: localRef(message.localhostRef, `${path}.localhostRef`, local) };
}

function olderProfile(text: string, path: string, local: 'path' | 'name'): SeccompProfile | undefined {
  if (text === '') return undefined;
  if (text === 'unconfined') return { type: 'unconfined', localhostRef: '' };
  if (text === 'runtime/default' || text === 'docker/default')
    return { type: 'runtime-default', localhostRef: '' };
  if (text.startsWith('localhost/'))
    return { type: 'localhost', localhostRef: localRef(text.slice('localhost/'.length), path, local) };
  return refuse(path, `is ${JSON.stringify(text)}: it has to be unconfined, runtime/default or localhost/…`);
}

/** A seccomp profile is a file; an AppArmor profile is a name that the kernel knows. */
function localRef(text: string, path: string, local: 'path' | 'name'): string {
  return local === 'path' ? absolute(text, path) : oneLine(filled(text, path), path);
}

type AnySecurity = wire.LinuxSandboxSecurityContext | wire.LinuxContainerSecurityContext;

/** What the security contexts of sandboxes and containers have in common. */
function common(context: AnySecurity, path: string): Omit<SandboxSecurity, 'seccomp' | 'apparmor'> {
  const id = (value: wire.Int64Value | null, key: string): number | undefined =>
    value === null ? undefined : whole(value.value, `${path}.${key}`, 0, MAX_ID);
  return {
    namespaces: namespacesFromWire(context.namespaceOptions, `${path}.namespaceOptions`),
    selinux: context.selinuxOptions ?? undefined,
    runAsUser: id(context.runAsUser, 'runAsUser'),
    runAsGroup: id(context.runAsGroup, 'runAsGroup'),
    readonlyRootfs: context.readonlyRootfs,
    supplementalGroups: context.supplementalGroups.map((group, index) =>
      whole(group, `${path}.supplementalGroups[${index}]`, 0, MAX_ID),
    ),
    supplementalGroupsPolicy: named(
      GROUPS_POLICIES,
      context.supplementalGroupsPolicy,
      `${path}.supplementalGroupsPolicy`,
    ),
    privileged: context.privileged,
  };
}

const EMPTY_SECURITY: SandboxSecurity = {
  namespaces: DEFAULT_NAMESPACES,
  readonlyRootfs: false,
  supplementalGroups: [],
  supplementalGroupsPolicy: 'merge',
  privileged: false,
};

/** A sandbox's security context. Throws Fault `invalid`. */
export function sandboxSecurityFromWire(
  context: wire.LinuxSandboxSecurityContext | null,
  path: string,
): SandboxSecurity {
  if (context === null) return EMPTY_SECURITY;
  const security = common(context, path);
  if (security.namespaces.pid === 'target')
    refuse(`${path}.namespaceOptions.pid`, 'cannot be target in a sandbox');
  if (security.runAsGroup !== undefined && security.runAsUser === undefined)
    refuse(`${path}.runAsGroup`, 'is given without runAsUser');
  return {
    ...security,
    seccomp: profile(context.seccomp, context.seccompProfilePath, `${path}.seccomp`, 'path'),
    apparmor: profile(context.apparmor, '', `${path}.apparmor`, 'name'),
  };
}

/** A container's security context. Throws Fault `invalid`. */
export function containerSecurityFromWire(
  context: wire.LinuxContainerSecurityContext | null,
  path: string,
): ContainerSecurity {
  if (context === null)
    return { ...EMPTY_SECURITY, runAsUsername: '', noNewPrivs: false, maskedPaths: [], readonlyPaths: [] };
  const security = common(context, path);
  if (security.runAsGroup !== undefined && security.runAsUser === undefined && context.runAsUsername === '')
    refuse(`${path}.runAsGroup`, 'is given without runAsUser or runAsUsername');
  const paths = (list: string[], key: string): string[] =>
    list.map((one, index) => absolute(one, `${path}.${key}[${index}]`));
  return {
    ...security,
    runAsUsername: oneLine(context.runAsUsername, `${path}.runAsUsername`),
    capabilities: capabilities(context.capabilities),
    noNewPrivs: context.noNewPrivs,
    maskedPaths: paths(context.maskedPaths, 'maskedPaths'),
    readonlyPaths: paths(context.readonlyPaths, 'readonlyPaths'),
    seccomp: profile(context.seccomp, context.seccompProfilePath, `${path}.seccomp`, 'path'),
    apparmor: profile(context.apparmor, context.apparmorProfile, `${path}.apparmor`, 'name'),
  };
}

function capabilities(message: wire.Capability | null): ContainerSecurity['capabilities'] {
  if (message === null) return undefined;
  const { addCapabilities, dropCapabilities, addAmbientCapabilities } = message;
  return { add: addCapabilities, drop: dropCapabilities, addAmbient: addAmbientCapabilities };
}
