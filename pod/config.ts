import type { IdMapping } from '../native/id-mapping.ts';

/**
 * What a caller asks for, in plain types: the pod room's half of the CRI's configuration messages. The wire converts
 * its messages to these and back. Field names follow the CRI in camel case; 64-bit numbers that are nanoseconds are
 * bigints, all others are plain numbers.
 */

export interface SandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface DnsConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

export interface PortMapping {
  protocol: PortProtocol;
  containerPort: number;
  /** 0: no host port. */
  hostPort: number;
  hostIp: string;
}

export type NamespaceMode = 'pod' | 'container' | 'node' | 'target';

export type { IdMapping } from '../native/id-mapping.ts';

export interface NamespaceOptions {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  /** The container whose PID namespace is meant by `target`. */
  targetId: string;
  /** Absent: the pod runs in the node's user namespace. */
  userns?: { mode: NamespaceMode; uids: IdMapping[]; gids: IdMapping[] };
}

export interface SeccompProfile {
  type: 'runtime-default' | 'unconfined' | 'localhost';
  localhostRef: string;
}

export interface SelinuxOptions {
  user: string;
  role: string;
  type: string;
  level: string;
}

export interface LinuxResources {
  cpuPeriod: number;
  cpuQuota: number;
  cpuShares: number;
  memoryLimitInBytes: number;
  memorySwapLimitInBytes: number;
  oomScoreAdj: number;
  cpusetCpus: string;
  cpusetMems: string;
  hugepageLimits: { pageSize: string; limit: bigint }[];
  unified: Record<string, string>;
}

export interface SandboxSecurity {
  namespaces: NamespaceOptions;
  selinux?: SelinuxOptions;
  runAsUser?: number;
  runAsGroup?: number;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: 'merge' | 'strict';
  privileged: boolean;
  seccomp?: SeccompProfile;
  apparmor?: SeccompProfile;
}

export interface SandboxConfig {
  metadata: SandboxMetadata;
  hostname: string;
  logDirectory: string;
  dns?: DnsConfig;
  portMappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  cgroupParent: string;
  sysctls: Record<string, string>;
  security: SandboxSecurity;
  overhead?: LinuxResources;
  resources?: LinuxResources;
}

export interface ImageSpec {
  image: string;
  annotations: Record<string, string>;
  userSpecifiedImage: string;
  runtimeHandler: string;
  /** In a status: what the image was found to be, by digest. */
  imageRef?: string;
}

export type MountPropagation = 'private' | 'host-to-container' | 'bidirectional';

export interface MountConfig {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  selinuxRelabel: boolean;
  propagation: MountPropagation;
  recursiveReadOnly: boolean;
  uidMappings: IdMapping[];
  gidMappings: IdMapping[];
  image?: ImageSpec;
  imageSubPath: string;
}

export interface DeviceConfig {
  containerPath: string;
  hostPath: string;
  permissions: string;
}

export interface ContainerSecurity {
  capabilities?: { add: string[]; drop: string[]; addAmbient: string[] };
  privileged: boolean;
  namespaces: NamespaceOptions;
  selinux?: SelinuxOptions;
  runAsUser?: number;
  runAsGroup?: number;
  runAsUsername: string;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: 'merge' | 'strict';
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp?: SeccompProfile;
  apparmor?: SeccompProfile;
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  image: ImageSpec;
  command: string[];
  args: string[];
  workingDir: string;
  /** Values are bytes (CRI 1.36). */
  envs: { key: string; value: Uint8Array }[];
  mounts: MountConfig[];
  devices: DeviceConfig[];
  cdiDevices: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's log directory. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  resources?: LinuxResources;
  security: ContainerSecurity;
  /** The CRI's number of the signal (0: the image's, else TERM), as `enum Signal` gives it a name: `SIGTERM`. */
  stopSignal: string;
}
