import type { MountInfo } from '../../native/mount.ts';
import type { IdMappings } from '../../native/id-mapping.ts';
import type { ContainerConfig, SandboxConfig } from '../config.ts';
import type { ImageConfig } from '../../image/images.ts';
import type { FoundEdits } from '../cdi/device-nodes.ts';
import type { ResolvedUser } from '../users.ts';
import type { SelinuxContexts } from './selinux.ts';
import type { OciDevice, OciRlimit, OciSeccomp } from './oci-spec.ts';

/** What the node gives to every container: found once at start (`node-facts.ts`). */
export interface NodeFacts {
  /** `x64` or `arm64`, as `process.arch` says. */
  arch: string;
  cgroupVersion: 1 | 2;
  /** `CAP_*` names in the daemon's bounding set: no container gets more. */
  boundingCapabilities: string[];
  /** The kernel filters system calls, and Berth is allowed to use that. */
  seccomp: boolean;
  apparmor: boolean;
  /** selinuxfs is there: SELinux is on, enforcing or not. */
  selinux: boolean;
  /** The hugetlb controller can be used. */
  hugetlb: boolean;
  /** Memory and swap can be limited together (memory.memsw on v1, memory.swap on v2). */
  swapAccounting: boolean;
  /** The lowest oom_score_adj that the daemon may give. */
  minOomScoreAdj: number;
}

/** What the node has of AppArmor. */
export interface ApparmorFacts {
  /** The kernel has it, and it is on. */
  available: boolean;
  /** Names of the profiles that are loaded. */
  loaded: ReadonlySet<string>;
  /** Why the default profile is not among them, where it is wanted. */
  noDefault?: string;
}

/** What labels are made from on a node where SELinux is on. */
export interface SelinuxInput {
  contexts: SelinuxContexts;
  /** The pod's level: `s0:c12,c400` (`freeLevel`). */
  level: string;
}

/** Files that were made for the pod; absent ones are not mounted. Absolute paths on the node. */
export interface PodFilePaths {
  resolvConf?: string;
  hostname?: string;
  hosts?: string;
  /** Directory that is the pod's /dev/shm. The node's own when the pod has the node's IPC namespace. */
  shm?: string;
}

/** A device with its permissions in the device cgroup (`rwm` or a part of it). */
export interface GrantedDevice extends OciDevice {
  access: string;
}

/**
 * All that config.json is made from. Whatever must be looked up on the node (devices, profile files, users, the
 * target's pid) was looked up before: `generateSpec` touches nothing.
 */
export interface SpecInput {
  id: string;
  sandboxId: string;
  sandbox: SandboxConfig;
  container: ContainerConfig;
  image: ImageConfig;
  /** Absolute path of the mounted root file system. */
  rootfs: string;
  user: ResolvedUser;
  /**
   * Namespaces to join, as paths (/proc/<pid>/ns/x or a pin). Absent: the node's. `pid` is pause's for a shared
   * pod, the target container's for mode `target`; it is not read for the modes `container` and `node`.
   */
  namespaces: { net?: string; ipc?: string; uts?: string; pid?: string };
  /** The pod's user namespace, when it has one: its path and its ids. */
  userns?: IdMappings & { path: string };
  /** OCI cgroupsPath in the driver's spelling (`cgroup/paths.ts`). */
  cgroupsPath: string;
  /** What the pod's processes see as their host name; the node's on the node's network. */
  hostname: string;
  files: PodFilePaths;
  /** For a privileged container every device of the node, else those that the configuration names (`host-devices.ts`). */
  devices: GrantedDevice[];
  /** The profile that `seccomp.localhostRef` names, when one is named (`seccomp/localhost-profile.ts`). */
  localhostSeccomp?: OciSeccomp;
  /** Where the sources of the caller's mounts lead, by the path in the request (`mount-sources.ts`). */
  mountSources: ReadonlyMap<string, string>;
  /** Sources of the mounts that are made of images, by their path in the container (`image-volumes.ts`). */
  imageVolumes: ReadonlyMap<string, string>;
  /** The image's own volumes (`anonymous-volumes.ts`). */
  anonymousVolumes: readonly { destination: string; source: string }[];
  /** What the node has of AppArmor just now. */
  apparmor: ApparmorFacts;
  /** Absent: no labels are made. */
  selinux?: SelinuxInput;
  /** Limits of every container's processes: the configuration's (`rlimits.ts`). */
  rlimits: readonly OciRlimit[];
  /** What the CDI devices ask for (`cdi/`). */
  cdi: readonly FoundEdits[];
  /** What the handler can do (`handler-features.ts`). */
  handler: { recursiveReadOnly: boolean };
  /** Mounts of the node, when submounts have to be bound one by one (`userns/submounts.ts`). */
  nodeMounts?: readonly MountInfo[];
  node: NodeFacts;
}
