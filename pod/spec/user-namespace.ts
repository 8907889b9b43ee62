import type { IdMapping, IdMappings } from '../../native/id-mapping.ts';
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
