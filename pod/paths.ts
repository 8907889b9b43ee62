import { join } from 'node:path';

/**
 * Where the pod room keeps its files. All of it lies below the state directory (a tmpfs on most nodes): nothing of it
 * outlives a reboot, and none of it is a truth of its own: the records are.
 *
 * ```
 * state/sandboxes/<id>/{resolv.conf,hostname,hosts,shm}   one sandbox
 * state/netns/<id>                                         pin of its network namespace
 * state/containers/<id>/{config.json,rootfs,ctl,attach}    one container: the OCI bundle, the monitor's sockets
 * state/containers/<id>/volumes/<n>                        images mounted as volumes
 * state/mapped/<id>/                                       mounts with mapped ids, while the container is created
 * state/pauses/<id>/                                      bundle of a sandbox that the OCI runtime made
 * state/exits/<id>                                         exit code, written by the monitor
 * state/consoles/<number>                                  where the OCI runtime sends terminals to
 * state/oci/<handler>/                                     the OCI runtime's own state
 * ```
 */
export class PodPaths {
  readonly state: string;
  readonly sandboxes: string;
  readonly netns: string;
  readonly containers: string;
  readonly pauses: string;
  readonly mapped: string;
  readonly exits: string;
  readonly consoles: string;
  readonly oci: string;

  constructor(state: string) {
    this.state = state;
    this.sandboxes = join(state, 'sandboxes');
    this.netns = join(state, 'netns');
    this.containers = join(state, 'containers');
    this.pauses = join(state, 'pauses');
    this.mapped = join(state, 'mapped');
    this.exits = join(state, 'exits');
    this.consoles = join(state, 'consoles');
    this.oci = join(state, 'oci');
  }

  sandbox(id: string): string {
    return join(this.sandboxes, id);
  }

  shm(sandboxId: string): string {
    return join(this.sandboxes, sandboxId, 'shm');
  }

  netnsPin(sandboxId: string): string {
    return join(this.netns, sandboxId);
  }

  bundle(containerId: string): string {
    return join(this.containers, containerId);
  }

  rootfs(containerId: string): string {
    return join(this.containers, containerId, 'rootfs');
  }

  /** Mount points of a container's image volumes. */
  volumes(containerId: string): string {
    return join(this.containers, containerId, 'volumes');
  }

  /** Mount points of volumes with mapped ids. Outside of the bundle, which is deleted with all that is in it. */
  mappedVolumes(containerId: string): string {
    return join(this.mapped, containerId);
  }

  exit(containerId: string): string {
    return join(this.exits, containerId);
  }
}
