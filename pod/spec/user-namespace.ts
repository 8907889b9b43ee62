import { Fault } from '../../ground/fault.ts';
import { hostIdOf, type IdMapping, type IdMappings } from '../../native/id-mapping.ts';
import type { ResolvedUser } from '../users.ts';
import type { OciIdMapping } from './oci-spec.ts';

/** The ids of a user namespace as config.json has them (config-linux.md, "User namespace mappings"). */
export function ociIdMappings({ uids, gids }: IdMappings): {
  uidMappings: OciIdMapping[];
  gidMappings: OciIdMapping[];
} {
  return { uidMappings: uids.map(ociIdMapping), gidMappings: gids.map(ociIdMapping) };
}

function ociIdMapping({ containerId, hostId, length }: IdMapping): OciIdMapping {
  return { containerID: containerId, hostID: hostId, size: length };
}

/**
 * A process can only be a user, and have groups, that its user namespace maps (user_namespaces(7)); the OCI runtimes
 * say no more than EINVAL. Throws `invalid`.
 */
export function requireMapped(
  userns: IdMappings | undefined,
  { uid, gid, additionalGids }: ResolvedUser,
): void {
  if (userns === undefined) return;
  const wanted = [
    { kind: 'user', ids: [uid], mappings: userns.uids },
    { kind: 'group', ids: [gid, ...additionalGids], mappings: userns.gids },
  ];
  for (const { kind, ids, mappings } of wanted) {
    const beyond = ids.find((id) => hostIdOf(mappings, id) === undefined);
    if (beyond === undefined) continue;
    const length = mappings[0]?.length ?? 0;
    throw new Fault('invalid', `The user namespace of the pod does not have the ${kind} id ${beyond}`, {
      hint: `it has 0 to ${length - 1}: a larger range (kubelet: userNamespaces.idsPerPod), or another user`,
    });
  }
}
