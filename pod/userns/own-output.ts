import { chownSync, readlinkSync } from 'node:fs';
import { hostIdOf, type IdMappings } from '../../native/id-mapping.ts';
import type { ContainerUser } from '../container.ts';

/**
 * Gives the pipes of a container that is created and not started to its user, so that it can open /dev/stdout: not every
 * OCI runtime does that in a user namespace. The process is still the runtime's own.
 */
export function ownOutput(init: number, { uids, gids }: IdMappings, user: ContainerUser): void {
  const [uid, gid] = [hostIdOf(uids, user.uid), hostIdOf(gids, user.gid)];
  if (uid === undefined || gid === undefined) return;
  for (const stream of [1, 2]) {
    const path = `/proc/${init}/fd/${stream}`;
    if (readlinkSync(path).startsWith('pipe:')) chownSync(path, uid, gid);
  }
}
