import type { MountInfo } from '../../native/mount.ts';
import type { OciMount } from '../spec/oci-spec.ts';

/**
 * What is mounted below the sources of recursive binds, as binds of their own: for OCI runtimes that leave submounts out
 * in a user namespace. `node` are the mounts of the daemon's mount namespace. As the kernel does with `ro`, a submount
 * stays writable unless the bind is recursively read-only (mount_setattr(2)).
 */
export function submountsOf(binds: readonly OciMount[], node: readonly MountInfo[]): OciMount[] {
  const destinations = new Set(binds.map(({ destination }) => destination));
  const found = new Map<string, OciMount>();
  for (const bind of binds) {
    if (!bind.options.includes('rbind')) continue;
    const above = bind.source.endsWith('/') ? bind.source : `${bind.source}/`;
    const options = bind.options.map((one) => (one === 'ro' ? 'rw' : one === 'rro' ? 'ro' : one));
    for (const { target } of node) {
      if (!target.startsWith(above)) continue;
      const destination = `${bind.destination}/${target.slice(above.length)}`;
      if (covered(destination, bind.destination, destinations)) continue;
      found.set(destination, { destination, type: 'bind', source: target, options });
    }
  }
  return [...found.values()];
}

/** Whether a mount of the container's own lies over this place, nearer than the bind that it belongs to. */
function covered(place: string, bind: string, destinations: ReadonlySet<string>): boolean {
  for (let at = place; at.length > bind.length; at = at.slice(0, at.lastIndexOf('/')))
    if (destinations.has(at)) return true;
  return false;
}
