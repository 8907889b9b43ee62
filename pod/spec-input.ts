import { hostname as nodeHostname } from 'node:os';
import { join } from 'node:path';
import type { ImageRecord } from '../image/images.ts';
import { mounts } from '../native/mount.ts';
import { findDeviceNodes } from './cdi/device-nodes.ts';
import { requestedCdiDevices } from './cdi/names.ts';
import { cdiEdits } from './cdi/registry.ts';
import { ociCgroupsPath } from './cgroup/paths.ts';
import type { ContainerConfig, MountConfig } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { checkPropagation } from './mount-sources.ts';
import type { Parts } from './parts.ts';
import { ownNamespaces, podUserns, type Sandbox } from './sandbox.ts';
import { cgroupParent, sandboxHostname } from './sandbox-release.ts';
import { selinuxInput } from './selinux.ts';
import { hostDevices } from './spec/host-devices.ts';
import type { SpecInput } from './spec/input.ts';
import { nodeFacts } from './spec/node-facts.ts';
import { wantsDefaultApparmor } from './spec/security-profiles.ts';
import { localhostProfile } from './spec/seccomp/localhost-profile.ts';
import { targetProcess } from './target.ts';
import { resolveUser } from './users.ts';

/**
 * Looks up on the node all that a container's specification is made from; `generateSpec` itself touches nothing.
 * `config` is the record's with other mount sources. The root file system is mounted by now: users and groups are read inside it, bounded.
 */
export async function prepareSpec(
  parts: Parts,
  sandbox: Sandbox,
  record: ContainerRecord,
  image: ImageRecord,
  found: Pick<SpecInput, 'mountSources' | 'imageVolumes' | 'anonymousVolumes'>,
  config: ContainerConfig = record.config,
): Promise<SpecInput> {
  const { security } = config;
  const rootfs = parts.paths.rootfs(record.id);
  const userns = usernsOf(sandbox);
  const { features } = parts.handlers.pick(record.handler).status;
  const own = ownNamespaces(sandbox.record.config);
  const directory = parts.paths.sandbox(sandbox.id);
  checkPropagations(config.mounts, found.mountSources);
  const localhost = security.seccomp?.type === 'localhost' ? security.seccomp.localhostRef : undefined;
  return {
    id: record.id,
    sandboxId: sandbox.id,
    sandbox: sandbox.record.config,
    container: config,
    image: image.config,
    rootfs,
    user: resolveUser({
      rootfs,
      imageUser: image.config.user,
      runAsUser: security.runAsUser,
      runAsGroup: security.runAsGroup,
      runAsUsername: security.runAsUsername,
      supplementalGroups: security.supplementalGroups,
      policy: security.supplementalGroupsPolicy,
    }),
    namespaces: namespacePaths(parts, sandbox, record),
    userns,
    cgroupsPath: ociCgroupsPath(
      parts.settings.cgroupDriver,
      cgroupParent(parts, sandbox.record.config),
      record.id,
    ),
    hostname: own.net ? sandboxHostname(sandbox.record.config) : nodeHostname(),
    files: {
      resolvConf: join(directory, 'resolv.conf'),
      hostname: join(directory, 'hostname'),
      hosts: join(directory, 'hosts'),
      shm: own.ipc ? parts.paths.shm(sandbox.id) : '/dev/shm',
    },
    devices: hostDevices(config),
    localhostSeccomp:
      localhost === undefined ? undefined : localhostProfile(parts.settings.seccompRoot, localhost),
    ...found,
    rlimits: parts.settings.rlimits,
    selinux: selinuxInput(sandbox),
    apparmor: await parts.apparmor.facts(wantsDefaultApparmor(security.apparmor, security.privileged)),
    cdi: findDeviceNodes(await cdiEdits(parts.settings.cdiDirectories, requestedCdiDevices(config))),
    handler: features,
    nodeMounts: userns !== undefined && !features.submountsInUserns ? mounts() : undefined,
    node: nodeFacts(),
  };
}

function checkPropagations(list: MountConfig[], sources: ReadonlyMap<string, string>): void {
  const spreading = list.filter(({ propagation }) => propagation !== 'private');
  if (spreading.length === 0) return;
  const here = mounts();
  for (const mount of spreading) checkPropagation(mount, sources.get(mount.hostPath) ?? mount.hostPath, here);
}

function namespacePaths(parts: Parts, sandbox: Sandbox, record: ContainerRecord): SpecInput['namespaces'] {
  const pause = sandbox.record.made!.pid;
  const own = ownNamespaces(sandbox.record.config);
  const { pid, targetId } = record.config.security.namespaces;
  return {
    ...(own.net ? { net: parts.paths.netnsPin(sandbox.id), uts: `/proc/${pause}/ns/uts` } : {}),
    ...(own.ipc ? { ipc: `/proc/${pause}/ns/ipc` } : {}),
    ...(pid === 'pod' && own.pid ? { pid: `/proc/${pause}/ns/pid` } : {}),
    ...(pid === 'target' ? { pid: `/proc/${targetProcess(parts, sandbox, targetId).pid}/ns/pid` } : {}),
  };
}

function usernsOf({ record }: Sandbox): SpecInput['userns'] {
  const userns = podUserns(record.config);
  return userns === undefined ? undefined : { ...userns, path: `/proc/${record.made!.pid}/ns/user` };
}
