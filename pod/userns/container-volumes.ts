import { Fault } from '../../ground/fault.ts';
import { idMapText, sameMappings, type IdMappings } from '../../native/id-mapping.ts';
import type { ContainerConfig, MountConfig } from '../config.ts';
import type { ContainerRecord } from '../container.ts';
import type { Parts } from '../parts.ts';
import { podUserns, type Sandbox } from '../sandbox.ts';
import { mountMappedVolumes } from './mapped-volumes.ts';
import { openPodUserns } from './pod-namespace.ts';
import { makeUserNamespace } from './user-namespace.ts';

/**
 * Makes the mounts whose ids are mapped (`mapped-volumes.ts`) and returns the container's configuration with them as
 * the sources; `sources` says where the caller's paths lead. Undo: `releaseMappedVolumes`, also when this throws.
 */
export async function withMappedVolumes(
  parts: Parts,
  sandbox: Sandbox,
  record: ContainerRecord,
  sources: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ContainerConfig> {
  const { config } = record;
  const pod = podUserns(sandbox.record.config);
  if (!config.mounts.some(hasMappings)) return config;
  for (const mount of config.mounts.filter(hasMappings)) checkMappings(mount, pod);
  const mapped = config.mounts.filter((mount) => hasMappings(mount) && mount.image === undefined);
  using held = new DisposableStack();
  const made = new Map<string, number>();
  const namespaceOf = async (mappings: IdMappings): Promise<number> => {
    const key = `${idMapText(mappings.uids)}/${idMapText(mappings.gids)}`;
    let fd = made.get(key);
    if (fd === undefined) {
      // The kubelet always asks for the pod's own ids.
      const own = pod !== undefined && sameIds(pod, mappings);
      fd = held.use(
        own ? openPodUserns(sandbox)! : await makeUserNamespace(parts.exits, mappings, signal),
      ).fd;
      made.set(key, fd);
    }
    return fd;
  };
  const volumes = [];
  for (const { hostPath, uidMappings, gidMappings } of mapped)
    volumes.push({
      source: sources.get(hostPath) ?? hostPath,
      userNamespace: await namespaceOf({ uids: uidMappings, gids: gidMappings }),
    });
  const places = await mountMappedVolumes(
    parts.exits,
    record.id,
    parts.paths.mappedVolumes(record.id),
    volumes,
    signal,
  );
  const mounts = config.mounts.map((mount) => {
    const hostPath = places[mapped.indexOf(mount)] ?? mount.hostPath;
    return { ...mount, hostPath, uidMappings: [], gidMappings: [] };
  });
  return { ...config, mounts };
}

function hasMappings({ uidMappings, gidMappings }: MountConfig): boolean {
  return uidMappings.length > 0 || gidMappings.length > 0;
}

function sameIds(one: IdMappings, other: IdMappings): boolean {
  return sameMappings(one.uids, other.uids) && sameMappings(one.gids, other.gids);
}

function checkMappings(mount: MountConfig, pod: IdMappings | undefined): void {
  const { uidMappings: uids, gidMappings: gids, image, hostPath } = mount;
  const subject = `mount of ${JSON.stringify(mount.containerPath)}`;
  if (uids.length === 0 || gids.length === 0)
    throw new Fault('invalid', 'It maps ids of users or of groups, and not both', { subject });
  if (image !== undefined && (pod === undefined || !sameIds(pod, { uids, gids })))
    throw new Fault('invalid', 'A volume made of an image shows the ids of its pod, and no others', {
      subject,
    });
  if (image === undefined && !hostPath.startsWith('/'))
    throw new Fault('invalid', `The path ${JSON.stringify(hostPath)} is not an absolute path`, { subject });
}
