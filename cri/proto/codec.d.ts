// Written by generate.ts from the .proto files. Do not edit: run `node cri/proto/generate.ts`.

/** What may be encoded: any part of a message; a 64-bit number also as a safe integer. */
export type Input<T> = T extends bigint
  ? bigint | number
  : T extends string | number | boolean | null | undefined | Uint8Array
    ? T
    : T extends (infer One)[]
      ? readonly Input<One>[]
      : { [K in keyof T]?: Input<T[K]> | undefined };

/** One message type. `decode` gives every field a value; it throws RangeError or Error on what is no such message. */
export interface Codec<T> {
  readonly name: string;
  encode(message: Input<T>): Buffer;
  decode(bytes: Uint8Array): T;
}

export interface Method<Request, Response, Stream extends boolean> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  readonly stream: Stream;
}

export interface VersionRequest {
  version: string;
}
export const VersionRequest: Codec<VersionRequest>;

export interface VersionResponse {
  version: string;
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}
export const VersionResponse: Codec<VersionResponse>;

export interface DNSConfig {
  servers: string[];
  searches: string[];
  options: string[];
}
export const DNSConfig: Codec<DNSConfig>;

export const Protocol: {
  readonly TCP: 0;
  readonly UDP: 1;
  readonly SCTP: 2;
};

export interface PortMapping {
  protocol: number;
  containerPort: number;
  hostPort: number;
  hostIp: string;
}
export const PortMapping: Codec<PortMapping>;

export const MountPropagation: {
  readonly PROPAGATION_PRIVATE: 0;
  readonly PROPAGATION_HOST_TO_CONTAINER: 1;
  readonly PROPAGATION_BIDIRECTIONAL: 2;
};

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  selinuxRelabel: boolean;
  propagation: number;
  uidMappings: IDMapping[];
  gidMappings: IDMapping[];
  recursiveReadOnly: boolean;
  image: ImageSpec | null;
  imageSubPath: string;
}
export const Mount: Codec<Mount>;

export interface IDMapping {
  hostId: number;
  containerId: number;
  length: number;
}
export const IDMapping: Codec<IDMapping>;

export const NamespaceMode: {
  readonly POD: 0;
  readonly CONTAINER: 1;
  readonly NODE: 2;
  readonly TARGET: 3;
};

export interface UserNamespace {
  mode: number;
  uids: IDMapping[];
  gids: IDMapping[];
}
export const UserNamespace: Codec<UserNamespace>;

export interface NamespaceOption {
  network: number;
  pid: number;
  ipc: number;
  targetId: string;
  usernsOptions: UserNamespace | null;
}
export const NamespaceOption: Codec<NamespaceOption>;

export const SupplementalGroupsPolicy: {
  readonly Merge: 0;
  readonly Strict: 1;
};

export interface Int64Value {
  value: bigint;
}
export const Int64Value: Codec<Int64Value>;

export interface LinuxSandboxSecurityContext {
  namespaceOptions: NamespaceOption | null;
  selinuxOptions: SELinuxOption | null;
  runAsUser: Int64Value | null;
  runAsGroup: Int64Value | null;
  readonlyRootfs: boolean;
  supplementalGroups: bigint[];
  supplementalGroupsPolicy: number;
  privileged: boolean;
  seccomp: SecurityProfile | null;
  apparmor: SecurityProfile | null;
  seccompProfilePath: string;
}
export const LinuxSandboxSecurityContext: Codec<LinuxSandboxSecurityContext>;

export const SecurityProfile_ProfileType: {
  readonly RuntimeDefault: 0;
  readonly Unconfined: 1;
  readonly Localhost: 2;
};

export interface SecurityProfile {
  profileType: number;
  localhostRef: string;
}
export const SecurityProfile: Codec<SecurityProfile>;

export interface LinuxPodSandboxConfig {
  cgroupParent: string;
  securityContext: LinuxSandboxSecurityContext | null;
  sysctls: Record<string, string>;
  overhead: LinuxContainerResources | null;
  resources: LinuxContainerResources | null;
}
export const LinuxPodSandboxConfig: Codec<LinuxPodSandboxConfig>;

export interface PodSandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}
export const PodSandboxMetadata: Codec<PodSandboxMetadata>;

export interface PodSandboxConfig {
  metadata: PodSandboxMetadata | null;
  hostname: string;
  logDirectory: string;
  dnsConfig: DNSConfig | null;
  portMappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  linux: LinuxPodSandboxConfig | null;
  windows: WindowsPodSandboxConfig | null;
}
export const PodSandboxConfig: Codec<PodSandboxConfig>;

export interface RunPodSandboxRequest {
  config: PodSandboxConfig | null;
  runtimeHandler: string;
}
export const RunPodSandboxRequest: Codec<RunPodSandboxRequest>;

export interface RunPodSandboxResponse {
  podSandboxId: string;
}
export const RunPodSandboxResponse: Codec<RunPodSandboxResponse>;

export interface StopPodSandboxRequest {
  podSandboxId: string;
}
export const StopPodSandboxRequest: Codec<StopPodSandboxRequest>;

export interface StopPodSandboxResponse {
}
export const StopPodSandboxResponse: Codec<StopPodSandboxResponse>;

export interface RemovePodSandboxRequest {
  podSandboxId: string;
}
export const RemovePodSandboxRequest: Codec<RemovePodSandboxRequest>;

export interface RemovePodSandboxResponse {
}
export const RemovePodSandboxResponse: Codec<RemovePodSandboxResponse>;

export interface PodSandboxStatusRequest {
  podSandboxId: string;
  verbose: boolean;
}
export const PodSandboxStatusRequest: Codec<PodSandboxStatusRequest>;

export interface PodIP {
  ip: string;
}
export const PodIP: Codec<PodIP>;

export interface PodSandboxNetworkStatus {
  ip: string;
  additionalIps: PodIP[];
}
export const PodSandboxNetworkStatus: Codec<PodSandboxNetworkStatus>;

export interface Namespace {
  options: NamespaceOption | null;
}
export const Namespace: Codec<Namespace>;

export interface LinuxPodSandboxStatus {
  namespaces: Namespace | null;
}
export const LinuxPodSandboxStatus: Codec<LinuxPodSandboxStatus>;

export const PodSandboxState: {
  readonly SANDBOX_READY: 0;
  readonly SANDBOX_NOTREADY: 1;
};

export interface PodSandboxStatus {
  id: string;
  metadata: PodSandboxMetadata | null;
  state: number;
  createdAt: bigint;
  network: PodSandboxNetworkStatus | null;
  linux: LinuxPodSandboxStatus | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}
export const PodSandboxStatus: Codec<PodSandboxStatus>;

export interface PodSandboxStatusResponse {
  status: PodSandboxStatus | null;
  info: Record<string, string>;
  containersStatuses: ContainerStatus[];
  timestamp: bigint;
}
export const PodSandboxStatusResponse: Codec<PodSandboxStatusResponse>;

export interface PodSandboxStateValue {
  state: number;
}
export const PodSandboxStateValue: Codec<PodSandboxStateValue>;

export interface PodSandboxFilter {
  id: string;
  state: PodSandboxStateValue | null;
  labelSelector: Record<string, string>;
}
export const PodSandboxFilter: Codec<PodSandboxFilter>;

export interface ListPodSandboxRequest {
  filter: PodSandboxFilter | null;
}
export const ListPodSandboxRequest: Codec<ListPodSandboxRequest>;

export interface PodSandbox {
  id: string;
  metadata: PodSandboxMetadata | null;
  state: number;
  createdAt: bigint;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}
export const PodSandbox: Codec<PodSandbox>;

export interface ListPodSandboxResponse {
  items: PodSandbox[];
}
export const ListPodSandboxResponse: Codec<ListPodSandboxResponse>;

export interface StreamPodSandboxesRequest {
  filter: PodSandboxFilter | null;
}
export const StreamPodSandboxesRequest: Codec<StreamPodSandboxesRequest>;

export interface StreamPodSandboxesResponse {
  podSandboxes: PodSandbox[];
}
export const StreamPodSandboxesResponse: Codec<StreamPodSandboxesResponse>;

export interface PodSandboxStatsRequest {
  podSandboxId: string;
}
export const PodSandboxStatsRequest: Codec<PodSandboxStatsRequest>;

export interface PodSandboxStatsResponse {
  stats: PodSandboxStats | null;
}
export const PodSandboxStatsResponse: Codec<PodSandboxStatsResponse>;

export interface PodSandboxStatsFilter {
  id: string;
  labelSelector: Record<string, string>;
}
export const PodSandboxStatsFilter: Codec<PodSandboxStatsFilter>;

export interface ListPodSandboxStatsRequest {
  filter: PodSandboxStatsFilter | null;
}
export const ListPodSandboxStatsRequest: Codec<ListPodSandboxStatsRequest>;

export interface ListPodSandboxStatsResponse {
  stats: PodSandboxStats[];
}
export const ListPodSandboxStatsResponse: Codec<ListPodSandboxStatsResponse>;

export interface StreamPodSandboxStatsRequest {
  filter: PodSandboxStatsFilter | null;
}
export const StreamPodSandboxStatsRequest: Codec<StreamPodSandboxStatsRequest>;

export interface StreamPodSandboxStatsResponse {
  podSandboxStats: PodSandboxStats[];
}
export const StreamPodSandboxStatsResponse: Codec<StreamPodSandboxStatsResponse>;

export interface PodSandboxAttributes {
  id: string;
  metadata: PodSandboxMetadata | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
export const PodSandboxAttributes: Codec<PodSandboxAttributes>;

export interface PodSandboxStats {
  attributes: PodSandboxAttributes | null;
  linux: LinuxPodSandboxStats | null;
  windows: WindowsPodSandboxStats | null;
}
export const PodSandboxStats: Codec<PodSandboxStats>;

export interface LinuxPodSandboxStats {
  cpu: CpuUsage | null;
  memory: MemoryUsage | null;
  network: NetworkUsage | null;
  process: ProcessUsage | null;
  containers: ContainerStats[];
  io: IoUsage | null;
}
export const LinuxPodSandboxStats: Codec<LinuxPodSandboxStats>;

export interface WindowsPodSandboxStats {
  cpu: WindowsCpuUsage | null;
  memory: WindowsMemoryUsage | null;
  network: WindowsNetworkUsage | null;
  process: WindowsProcessUsage | null;
  containers: WindowsContainerStats[];
}
export const WindowsPodSandboxStats: Codec<WindowsPodSandboxStats>;

export interface NetworkUsage {
  timestamp: bigint;
  defaultInterface: NetworkInterfaceUsage | null;
  interfaces: NetworkInterfaceUsage[];
}
export const NetworkUsage: Codec<NetworkUsage>;

export interface WindowsNetworkUsage {
  timestamp: bigint;
  defaultInterface: WindowsNetworkInterfaceUsage | null;
  interfaces: WindowsNetworkInterfaceUsage[];
}
export const WindowsNetworkUsage: Codec<WindowsNetworkUsage>;

export interface NetworkInterfaceUsage {
  name: string;
  rxBytes: UInt64Value | null;
  rxErrors: UInt64Value | null;
  txBytes: UInt64Value | null;
  txErrors: UInt64Value | null;
}
export const NetworkInterfaceUsage: Codec<NetworkInterfaceUsage>;

export interface WindowsNetworkInterfaceUsage {
  name: string;
  rxBytes: UInt64Value | null;
  rxPacketsDropped: UInt64Value | null;
  txBytes: UInt64Value | null;
  txPacketsDropped: UInt64Value | null;
}
export const WindowsNetworkInterfaceUsage: Codec<WindowsNetworkInterfaceUsage>;

export interface ProcessUsage {
  timestamp: bigint;
  processCount: UInt64Value | null;
}
export const ProcessUsage: Codec<ProcessUsage>;

export interface WindowsProcessUsage {
  timestamp: bigint;
  processCount: UInt64Value | null;
}
export const WindowsProcessUsage: Codec<WindowsProcessUsage>;

export interface ImageSpec {
  image: string;
  annotations: Record<string, string>;
  userSpecifiedImage: string;
  runtimeHandler: string;
  imageRef: string;
}
export const ImageSpec: Codec<ImageSpec>;

export interface KeyValue {
  key: string;
  value: Uint8Array;
}
export const KeyValue: Codec<KeyValue>;

export interface LinuxContainerResources {
  cpuPeriod: bigint;
  cpuQuota: bigint;
  cpuShares: bigint;
  memoryLimitInBytes: bigint;
  oomScoreAdj: bigint;
  cpusetCpus: string;
  cpusetMems: string;
  hugepageLimits: HugepageLimit[];
  unified: Record<string, string>;
  memorySwapLimitInBytes: bigint;
}
export const LinuxContainerResources: Codec<LinuxContainerResources>;

export interface HugepageLimit {
  pageSize: string;
  limit: bigint;
}
export const HugepageLimit: Codec<HugepageLimit>;

export interface SELinuxOption {
  user: string;
  role: string;
  type: string;
  level: string;
}
export const SELinuxOption: Codec<SELinuxOption>;

export interface Capability {
  addCapabilities: string[];
  dropCapabilities: string[];
  addAmbientCapabilities: string[];
}
export const Capability: Codec<Capability>;

export interface LinuxContainerSecurityContext {
  capabilities: Capability | null;
  privileged: boolean;
  namespaceOptions: NamespaceOption | null;
  selinuxOptions: SELinuxOption | null;
  runAsUser: Int64Value | null;
  runAsGroup: Int64Value | null;
  runAsUsername: string;
  readonlyRootfs: boolean;
  supplementalGroups: bigint[];
  supplementalGroupsPolicy: number;
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp: SecurityProfile | null;
  apparmor: SecurityProfile | null;
  apparmorProfile: string;
  seccompProfilePath: string;
}
export const LinuxContainerSecurityContext: Codec<LinuxContainerSecurityContext>;

export interface LinuxContainerConfig {
  resources: LinuxContainerResources | null;
  securityContext: LinuxContainerSecurityContext | null;
}
export const LinuxContainerConfig: Codec<LinuxContainerConfig>;

export interface LinuxContainerUser {
  uid: bigint;
  gid: bigint;
  supplementalGroups: bigint[];
}
export const LinuxContainerUser: Codec<LinuxContainerUser>;

export interface WindowsNamespaceOption {
  network: number;
}
export const WindowsNamespaceOption: Codec<WindowsNamespaceOption>;

export interface WindowsSandboxSecurityContext {
  runAsUsername: string;
  credentialSpec: string;
  hostProcess: boolean;
  namespaceOptions: WindowsNamespaceOption | null;
}
export const WindowsSandboxSecurityContext: Codec<WindowsSandboxSecurityContext>;

export interface WindowsPodSandboxConfig {
  securityContext: WindowsSandboxSecurityContext | null;
}
export const WindowsPodSandboxConfig: Codec<WindowsPodSandboxConfig>;

export interface WindowsContainerSecurityContext {
  runAsUsername: string;
  credentialSpec: string;
  hostProcess: boolean;
}
export const WindowsContainerSecurityContext: Codec<WindowsContainerSecurityContext>;

export interface WindowsContainerConfig {
  resources: WindowsContainerResources | null;
  securityContext: WindowsContainerSecurityContext | null;
}
export const WindowsContainerConfig: Codec<WindowsContainerConfig>;

export interface WindowsContainerResources {
  cpuShares: bigint;
  cpuCount: bigint;
  cpuMaximum: bigint;
  memoryLimitInBytes: bigint;
  rootfsSizeInBytes: bigint;
  affinityCpus: WindowsCpuGroupAffinity[];
}
export const WindowsContainerResources: Codec<WindowsContainerResources>;

export interface WindowsCpuGroupAffinity {
  cpuMask: bigint;
  cpuGroup: number;
}
export const WindowsCpuGroupAffinity: Codec<WindowsCpuGroupAffinity>;

export interface ContainerMetadata {
  name: string;
  attempt: number;
}
export const ContainerMetadata: Codec<ContainerMetadata>;

export interface Device {
  containerPath: string;
  hostPath: string;
  permissions: string;
}
export const Device: Codec<Device>;

export interface CDIDevice {
  name: string;
}
export const CDIDevice: Codec<CDIDevice>;

export interface ContainerConfig {
  metadata: ContainerMetadata | null;
  image: ImageSpec | null;
  command: string[];
  args: string[];
  workingDir: string;
  envs: KeyValue[];
  mounts: Mount[];
  devices: Device[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  linux: LinuxContainerConfig | null;
  windows: WindowsContainerConfig | null;
  CDIDevices: CDIDevice[];
  stopSignal: number;
}
export const ContainerConfig: Codec<ContainerConfig>;

export const Signal: {
  readonly RUNTIME_DEFAULT: 0;
  readonly SIGABRT: 1;
  readonly SIGALRM: 2;
  readonly SIGBUS: 3;
  readonly SIGCHLD: 4;
  readonly SIGCLD: 5;
  readonly SIGCONT: 6;
  readonly SIGFPE: 7;
  readonly SIGHUP: 8;
  readonly SIGILL: 9;
  readonly SIGINT: 10;
  readonly SIGIO: 11;
  readonly SIGIOT: 12;
  readonly SIGKILL: 13;
  readonly SIGPIPE: 14;
  readonly SIGPOLL: 15;
  readonly SIGPROF: 16;
  readonly SIGPWR: 17;
  readonly SIGQUIT: 18;
  readonly SIGSEGV: 19;
  readonly SIGSTKFLT: 20;
  readonly SIGSTOP: 21;
  readonly SIGSYS: 22;
  readonly SIGTERM: 23;
  readonly SIGTRAP: 24;
  readonly SIGTSTP: 25;
  readonly SIGTTIN: 26;
  readonly SIGTTOU: 27;
  readonly SIGURG: 28;
  readonly SIGUSR1: 29;
  readonly SIGUSR2: 30;
  readonly SIGVTALRM: 31;
  readonly SIGWINCH: 32;
  readonly SIGXCPU: 33;
  readonly SIGXFSZ: 34;
  readonly SIGRTMIN: 35;
  readonly SIGRTMINPLUS1: 36;
  readonly SIGRTMINPLUS2: 37;
  readonly SIGRTMINPLUS3: 38;
  readonly SIGRTMINPLUS4: 39;
  readonly SIGRTMINPLUS5: 40;
  readonly SIGRTMINPLUS6: 41;
  readonly SIGRTMINPLUS7: 42;
  readonly SIGRTMINPLUS8: 43;
  readonly SIGRTMINPLUS9: 44;
  readonly SIGRTMINPLUS10: 45;
  readonly SIGRTMINPLUS11: 46;
  readonly SIGRTMINPLUS12: 47;
  readonly SIGRTMINPLUS13: 48;
  readonly SIGRTMINPLUS14: 49;
  readonly SIGRTMINPLUS15: 50;
  readonly SIGRTMAXMINUS14: 51;
  readonly SIGRTMAXMINUS13: 52;
  readonly SIGRTMAXMINUS12: 53;
  readonly SIGRTMAXMINUS11: 54;
  readonly SIGRTMAXMINUS10: 55;
  readonly SIGRTMAXMINUS9: 56;
  readonly SIGRTMAXMINUS8: 57;
  readonly SIGRTMAXMINUS7: 58;
  readonly SIGRTMAXMINUS6: 59;
  readonly SIGRTMAXMINUS5: 60;
  readonly SIGRTMAXMINUS4: 61;
  readonly SIGRTMAXMINUS3: 62;
  readonly SIGRTMAXMINUS2: 63;
  readonly SIGRTMAXMINUS1: 64;
  readonly SIGRTMAX: 65;
};

export interface CreateContainerRequest {
  podSandboxId: string;
  config: ContainerConfig | null;
  sandboxConfig: PodSandboxConfig | null;
}
export const CreateContainerRequest: Codec<CreateContainerRequest>;

export interface CreateContainerResponse {
  containerId: string;
}
export const CreateContainerResponse: Codec<CreateContainerResponse>;

export interface StartContainerRequest {
  containerId: string;
}
export const StartContainerRequest: Codec<StartContainerRequest>;

export interface StartContainerResponse {
}
export const StartContainerResponse: Codec<StartContainerResponse>;

export interface StopContainerRequest {
  containerId: string;
  timeout: bigint;
}
export const StopContainerRequest: Codec<StopContainerRequest>;

export interface StopContainerResponse {
}
export const StopContainerResponse: Codec<StopContainerResponse>;

export interface RemoveContainerRequest {
  containerId: string;
}
export const RemoveContainerRequest: Codec<RemoveContainerRequest>;

export interface RemoveContainerResponse {
}
export const RemoveContainerResponse: Codec<RemoveContainerResponse>;

export const ContainerState: {
  readonly CONTAINER_CREATED: 0;
  readonly CONTAINER_RUNNING: 1;
  readonly CONTAINER_EXITED: 2;
  readonly CONTAINER_UNKNOWN: 3;
};

export interface ContainerStateValue {
  state: number;
}
export const ContainerStateValue: Codec<ContainerStateValue>;

export interface ContainerFilter {
  id: string;
  state: ContainerStateValue | null;
  podSandboxId: string;
  labelSelector: Record<string, string>;
}
export const ContainerFilter: Codec<ContainerFilter>;

export interface ListContainersRequest {
  filter: ContainerFilter | null;
}
export const ListContainersRequest: Codec<ListContainersRequest>;

export interface Container {
  id: string;
  podSandboxId: string;
  metadata: ContainerMetadata | null;
  image: ImageSpec | null;
  imageRef: string;
  state: number;
  createdAt: bigint;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  imageId: string;
}
export const Container: Codec<Container>;

export interface ListContainersResponse {
  containers: Container[];
}
export const ListContainersResponse: Codec<ListContainersResponse>;

export interface StreamContainersRequest {
  filter: ContainerFilter | null;
}
export const StreamContainersRequest: Codec<StreamContainersRequest>;

export interface StreamContainersResponse {
  containers: Container[];
}
export const StreamContainersResponse: Codec<StreamContainersResponse>;

export interface ContainerStatusRequest {
  containerId: string;
  verbose: boolean;
}
export const ContainerStatusRequest: Codec<ContainerStatusRequest>;

export interface ContainerStatus {
  id: string;
  metadata: ContainerMetadata | null;
  state: number;
  createdAt: bigint;
  startedAt: bigint;
  finishedAt: bigint;
  exitCode: number;
  image: ImageSpec | null;
  imageRef: string;
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  mounts: Mount[];
  logPath: string;
  resources: ContainerResources | null;
  imageId: string;
  user: ContainerUser | null;
  stopSignal: number;
}
export const ContainerStatus: Codec<ContainerStatus>;

export interface ContainerStatusResponse {
  status: ContainerStatus | null;
  info: Record<string, string>;
}
export const ContainerStatusResponse: Codec<ContainerStatusResponse>;

export interface ContainerResources {
  linux: LinuxContainerResources | null;
  windows: WindowsContainerResources | null;
}
export const ContainerResources: Codec<ContainerResources>;

export interface ContainerUser {
  linux: LinuxContainerUser | null;
}
export const ContainerUser: Codec<ContainerUser>;

export interface UpdateContainerResourcesRequest {
  containerId: string;
  linux: LinuxContainerResources | null;
  windows: WindowsContainerResources | null;
  annotations: Record<string, string>;
}
export const UpdateContainerResourcesRequest: Codec<UpdateContainerResourcesRequest>;

export interface UpdateContainerResourcesResponse {
}
export const UpdateContainerResourcesResponse: Codec<UpdateContainerResourcesResponse>;

export interface ExecSyncRequest {
  containerId: string;
  cmd: string[];
  timeout: bigint;
}
export const ExecSyncRequest: Codec<ExecSyncRequest>;

export interface ExecSyncResponse {
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
}
export const ExecSyncResponse: Codec<ExecSyncResponse>;

export interface ExecRequest {
  containerId: string;
  cmd: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}
export const ExecRequest: Codec<ExecRequest>;

export interface ExecResponse {
  url: string;
}
export const ExecResponse: Codec<ExecResponse>;

export interface AttachRequest {
  containerId: string;
  stdin: boolean;
  tty: boolean;
  stdout: boolean;
  stderr: boolean;
}
export const AttachRequest: Codec<AttachRequest>;

export interface AttachResponse {
  url: string;
}
export const AttachResponse: Codec<AttachResponse>;

export interface PortForwardRequest {
  podSandboxId: string;
  port: number[];
}
export const PortForwardRequest: Codec<PortForwardRequest>;

export interface PortForwardResponse {
  url: string;
}
export const PortForwardResponse: Codec<PortForwardResponse>;

export interface ImageFilter {
  image: ImageSpec | null;
}
export const ImageFilter: Codec<ImageFilter>;

export interface ListImagesRequest {
  filter: ImageFilter | null;
}
export const ListImagesRequest: Codec<ListImagesRequest>;

export interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: bigint;
  uid: Int64Value | null;
  username: string;
  spec: ImageSpec | null;
  pinned: boolean;
}
export const Image: Codec<Image>;

export interface ListImagesResponse {
  images: Image[];
}
export const ListImagesResponse: Codec<ListImagesResponse>;

export interface StreamImagesRequest {
  filter: ImageFilter | null;
}
export const StreamImagesRequest: Codec<StreamImagesRequest>;

export interface StreamImagesResponse {
  images: Image[];
}
export const StreamImagesResponse: Codec<StreamImagesResponse>;

export interface ImageStatusRequest {
  image: ImageSpec | null;
  verbose: boolean;
}
export const ImageStatusRequest: Codec<ImageStatusRequest>;

export interface ImageStatusResponse {
  image: Image | null;
  info: Record<string, string>;
}
export const ImageStatusResponse: Codec<ImageStatusResponse>;

export interface AuthConfig {
  username: string;
  password: string;
  auth: string;
  serverAddress: string;
  identityToken: string;
  registryToken: string;
}
export const AuthConfig: Codec<AuthConfig>;

export interface PullImageRequest {
  image: ImageSpec | null;
  auth: AuthConfig | null;
  sandboxConfig: PodSandboxConfig | null;
}
export const PullImageRequest: Codec<PullImageRequest>;

export interface PullImageResponse {
  imageRef: string;
}
export const PullImageResponse: Codec<PullImageResponse>;

export interface RemoveImageRequest {
  image: ImageSpec | null;
}
export const RemoveImageRequest: Codec<RemoveImageRequest>;

export interface RemoveImageResponse {
}
export const RemoveImageResponse: Codec<RemoveImageResponse>;

export interface NetworkConfig {
  podCidr: string;
}
export const NetworkConfig: Codec<NetworkConfig>;

export interface RuntimeConfig {
  networkConfig: NetworkConfig | null;
}
export const RuntimeConfig: Codec<RuntimeConfig>;

export interface UpdateRuntimeConfigRequest {
  runtimeConfig: RuntimeConfig | null;
}
export const UpdateRuntimeConfigRequest: Codec<UpdateRuntimeConfigRequest>;

export interface UpdateRuntimeConfigResponse {
}
export const UpdateRuntimeConfigResponse: Codec<UpdateRuntimeConfigResponse>;

export interface RuntimeCondition {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}
export const RuntimeCondition: Codec<RuntimeCondition>;

export interface RuntimeStatus {
  conditions: RuntimeCondition[];
}
export const RuntimeStatus: Codec<RuntimeStatus>;

export interface StatusRequest {
  verbose: boolean;
}
export const StatusRequest: Codec<StatusRequest>;

export interface RuntimeHandlerFeatures {
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
}
export const RuntimeHandlerFeatures: Codec<RuntimeHandlerFeatures>;

export interface RuntimeHandler {
  name: string;
  features: RuntimeHandlerFeatures | null;
}
export const RuntimeHandler: Codec<RuntimeHandler>;

export interface RuntimeFeatures {
  supplementalGroupsPolicy: boolean;
  userNamespacesHostNetwork: boolean;
}
export const RuntimeFeatures: Codec<RuntimeFeatures>;

export interface StatusResponse {
  status: RuntimeStatus | null;
  info: Record<string, string>;
  runtimeHandlers: RuntimeHandler[];
  features: RuntimeFeatures | null;
}
export const StatusResponse: Codec<StatusResponse>;

export interface ImageFsInfoRequest {
}
export const ImageFsInfoRequest: Codec<ImageFsInfoRequest>;

export interface UInt64Value {
  value: bigint;
}
export const UInt64Value: Codec<UInt64Value>;

export interface FilesystemIdentifier {
  mountpoint: string;
}
export const FilesystemIdentifier: Codec<FilesystemIdentifier>;

export interface FilesystemUsage {
  timestamp: bigint;
  fsId: FilesystemIdentifier | null;
  usedBytes: UInt64Value | null;
  inodesUsed: UInt64Value | null;
}
export const FilesystemUsage: Codec<FilesystemUsage>;

export interface WindowsFilesystemUsage {
  timestamp: bigint;
  fsId: FilesystemIdentifier | null;
  usedBytes: UInt64Value | null;
}
export const WindowsFilesystemUsage: Codec<WindowsFilesystemUsage>;

export interface ImageFsInfoResponse {
  imageFilesystems: FilesystemUsage[];
  containerFilesystems: FilesystemUsage[];
}
export const ImageFsInfoResponse: Codec<ImageFsInfoResponse>;

export interface ContainerStatsRequest {
  containerId: string;
}
export const ContainerStatsRequest: Codec<ContainerStatsRequest>;

export interface ContainerStatsResponse {
  stats: ContainerStats | null;
}
export const ContainerStatsResponse: Codec<ContainerStatsResponse>;

export interface ListContainerStatsRequest {
  filter: ContainerStatsFilter | null;
}
export const ListContainerStatsRequest: Codec<ListContainerStatsRequest>;

export interface ContainerStatsFilter {
  id: string;
  podSandboxId: string;
  labelSelector: Record<string, string>;
}
export const ContainerStatsFilter: Codec<ContainerStatsFilter>;

export interface ListContainerStatsResponse {
  stats: ContainerStats[];
}
export const ListContainerStatsResponse: Codec<ListContainerStatsResponse>;

export interface StreamContainerStatsRequest {
  filter: ContainerStatsFilter | null;
}
export const StreamContainerStatsRequest: Codec<StreamContainerStatsRequest>;

export interface StreamContainerStatsResponse {
  containerStats: ContainerStats[];
}
export const StreamContainerStatsResponse: Codec<StreamContainerStatsResponse>;

export interface ContainerAttributes {
  id: string;
  metadata: ContainerMetadata | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
export const ContainerAttributes: Codec<ContainerAttributes>;

export interface ContainerStats {
  attributes: ContainerAttributes | null;
  cpu: CpuUsage | null;
  memory: MemoryUsage | null;
  writableLayer: FilesystemUsage | null;
  swap: SwapUsage | null;
  io: IoUsage | null;
}
export const ContainerStats: Codec<ContainerStats>;

export interface WindowsContainerStats {
  attributes: ContainerAttributes | null;
  cpu: WindowsCpuUsage | null;
  memory: WindowsMemoryUsage | null;
  writableLayer: WindowsFilesystemUsage | null;
}
export const WindowsContainerStats: Codec<WindowsContainerStats>;

export interface PsiStats {
  Full: PsiData | null;
  Some: PsiData | null;
}
export const PsiStats: Codec<PsiStats>;

export interface PsiData {
  Total: bigint;
  Avg10: number;
  Avg60: number;
  Avg300: number;
}
export const PsiData: Codec<PsiData>;

export interface CpuUsage {
  timestamp: bigint;
  usageCoreNanoSeconds: UInt64Value | null;
  usageNanoCores: UInt64Value | null;
  psi: PsiStats | null;
}
export const CpuUsage: Codec<CpuUsage>;

export interface WindowsCpuUsage {
  timestamp: bigint;
  usageCoreNanoSeconds: UInt64Value | null;
  usageNanoCores: UInt64Value | null;
}
export const WindowsCpuUsage: Codec<WindowsCpuUsage>;

export interface MemoryUsage {
  timestamp: bigint;
  workingSetBytes: UInt64Value | null;
  availableBytes: UInt64Value | null;
  usageBytes: UInt64Value | null;
  rssBytes: UInt64Value | null;
  pageFaults: UInt64Value | null;
  majorPageFaults: UInt64Value | null;
  psi: PsiStats | null;
}
export const MemoryUsage: Codec<MemoryUsage>;

export interface IoUsage {
  timestamp: bigint;
  psi: PsiStats | null;
}
export const IoUsage: Codec<IoUsage>;

export interface SwapUsage {
  timestamp: bigint;
  swapAvailableBytes: UInt64Value | null;
  swapUsageBytes: UInt64Value | null;
}
export const SwapUsage: Codec<SwapUsage>;

export interface WindowsMemoryUsage {
  timestamp: bigint;
  workingSetBytes: UInt64Value | null;
  availableBytes: UInt64Value | null;
  pageFaults: UInt64Value | null;
  commitMemoryBytes: UInt64Value | null;
}
export const WindowsMemoryUsage: Codec<WindowsMemoryUsage>;

export interface ReopenContainerLogRequest {
  containerId: string;
}
export const ReopenContainerLogRequest: Codec<ReopenContainerLogRequest>;

export interface ReopenContainerLogResponse {
}
export const ReopenContainerLogResponse: Codec<ReopenContainerLogResponse>;

export interface CheckpointContainerRequest {
  containerId: string;
  location: string;
  timeout: bigint;
}
export const CheckpointContainerRequest: Codec<CheckpointContainerRequest>;

export interface CheckpointContainerResponse {
}
export const CheckpointContainerResponse: Codec<CheckpointContainerResponse>;

export interface GetEventsRequest {
}
export const GetEventsRequest: Codec<GetEventsRequest>;

export interface ContainerEventResponse {
  containerId: string;
  containerEventType: number;
  createdAt: bigint;
  podSandboxStatus: PodSandboxStatus | null;
  containersStatuses: ContainerStatus[];
}
export const ContainerEventResponse: Codec<ContainerEventResponse>;

export const ContainerEventType: {
  readonly CONTAINER_CREATED_EVENT: 0;
  readonly CONTAINER_STARTED_EVENT: 1;
  readonly CONTAINER_STOPPED_EVENT: 2;
  readonly CONTAINER_DELETED_EVENT: 3;
};

export interface ListMetricDescriptorsRequest {
}
export const ListMetricDescriptorsRequest: Codec<ListMetricDescriptorsRequest>;

export interface ListMetricDescriptorsResponse {
  descriptors: MetricDescriptor[];
}
export const ListMetricDescriptorsResponse: Codec<ListMetricDescriptorsResponse>;

export interface MetricDescriptor {
  name: string;
  help: string;
  labelKeys: string[];
}
export const MetricDescriptor: Codec<MetricDescriptor>;

export interface ListPodSandboxMetricsRequest {
}
export const ListPodSandboxMetricsRequest: Codec<ListPodSandboxMetricsRequest>;

export interface ListPodSandboxMetricsResponse {
  podMetrics: PodSandboxMetrics[];
}
export const ListPodSandboxMetricsResponse: Codec<ListPodSandboxMetricsResponse>;

export interface StreamPodSandboxMetricsRequest {
}
export const StreamPodSandboxMetricsRequest: Codec<StreamPodSandboxMetricsRequest>;

export interface StreamPodSandboxMetricsResponse {
  podSandboxMetrics: PodSandboxMetrics[];
}
export const StreamPodSandboxMetricsResponse: Codec<StreamPodSandboxMetricsResponse>;

export interface PodSandboxMetrics {
  podSandboxId: string;
  metrics: Metric[];
  containerMetrics: ContainerMetrics[];
}
export const PodSandboxMetrics: Codec<PodSandboxMetrics>;

export interface ContainerMetrics {
  containerId: string;
  metrics: Metric[];
}
export const ContainerMetrics: Codec<ContainerMetrics>;

export interface Metric {
  name: string;
  timestamp: bigint;
  metricType: number;
  labelValues: string[];
  value: UInt64Value | null;
}
export const Metric: Codec<Metric>;

export const MetricType: {
  readonly COUNTER: 0;
  readonly GAUGE: 1;
};

export interface RuntimeConfigRequest {
}
export const RuntimeConfigRequest: Codec<RuntimeConfigRequest>;

export interface RuntimeConfigResponse {
  linux: LinuxRuntimeConfiguration | null;
}
export const RuntimeConfigResponse: Codec<RuntimeConfigResponse>;

export interface LinuxRuntimeConfiguration {
  cgroupDriver: number;
}
export const LinuxRuntimeConfiguration: Codec<LinuxRuntimeConfiguration>;

export const CgroupDriver: {
  readonly SYSTEMD: 0;
  readonly CGROUPFS: 1;
};

export interface UpdatePodSandboxResourcesRequest {
  podSandboxId: string;
  overhead: LinuxContainerResources | null;
  resources: LinuxContainerResources | null;
}
export const UpdatePodSandboxResourcesRequest: Codec<UpdatePodSandboxResourcesRequest>;

export interface UpdatePodSandboxResourcesResponse {
}
export const UpdatePodSandboxResourcesResponse: Codec<UpdatePodSandboxResourcesResponse>;

export interface LoadImageRequest {
  path: string;
  name: string;
}
export const LoadImageRequest: Codec<LoadImageRequest>;

export interface LoadedImage {
  id: string;
  repoTags: string[];
  size: bigint;
}
export const LoadedImage: Codec<LoadedImage>;

export interface LoadImageResponse {
  images: LoadedImage[];
}
export const LoadImageResponse: Codec<LoadImageResponse>;

export interface SaveImageRequest {
  images: string[];
  path: string;
  format: string;
  compression: string;
}
export const SaveImageRequest: Codec<SaveImageRequest>;

export interface SaveImageResponse {
}
export const SaveImageResponse: Codec<SaveImageResponse>;

export interface InspectImageRequest {
  image: string;
}
export const InspectImageRequest: Codec<InspectImageRequest>;

export interface InspectImageResponse {
  json: string;
}
export const InspectImageResponse: Codec<InspectImageResponse>;

export interface CheckRequest {
  repair: boolean;
}
export const CheckRequest: Codec<CheckRequest>;

export interface CheckResponse {
  json: string;
}
export const CheckResponse: Codec<CheckResponse>;

export interface WatchPullRequest {
  image: string;
}
export const WatchPullRequest: Codec<WatchPullRequest>;

export interface PulledLayer {
  digest: string;
  state: string;
  bytesDone: bigint;
  bytesTotal: bigint;
}
export const PulledLayer: Codec<PulledLayer>;

export interface WatchPullResponse {
  layers: PulledLayer[];
  imageRef: string;
}
export const WatchPullResponse: Codec<WatchPullResponse>;

export interface CensusRequest {
}
export const CensusRequest: Codec<CensusRequest>;

export interface CensusResponse {
  json: string;
}
export const CensusResponse: Codec<CensusResponse>;

export const services: {
  'runtime.v1.RuntimeService': {
    Version: Method<VersionRequest, VersionResponse, false>;
    RunPodSandbox: Method<RunPodSandboxRequest, RunPodSandboxResponse, false>;
    StopPodSandbox: Method<StopPodSandboxRequest, StopPodSandboxResponse, false>;
    RemovePodSandbox: Method<RemovePodSandboxRequest, RemovePodSandboxResponse, false>;
    PodSandboxStatus: Method<PodSandboxStatusRequest, PodSandboxStatusResponse, false>;
    ListPodSandbox: Method<ListPodSandboxRequest, ListPodSandboxResponse, false>;
    StreamPodSandboxes: Method<StreamPodSandboxesRequest, StreamPodSandboxesResponse, true>;
    CreateContainer: Method<CreateContainerRequest, CreateContainerResponse, false>;
    StartContainer: Method<StartContainerRequest, StartContainerResponse, false>;
    StopContainer: Method<StopContainerRequest, StopContainerResponse, false>;
    RemoveContainer: Method<RemoveContainerRequest, RemoveContainerResponse, false>;
    ListContainers: Method<ListContainersRequest, ListContainersResponse, false>;
    StreamContainers: Method<StreamContainersRequest, StreamContainersResponse, true>;
    ContainerStatus: Method<ContainerStatusRequest, ContainerStatusResponse, false>;
    UpdateContainerResources: Method<UpdateContainerResourcesRequest, UpdateContainerResourcesResponse, false>;
    ReopenContainerLog: Method<ReopenContainerLogRequest, ReopenContainerLogResponse, false>;
    ExecSync: Method<ExecSyncRequest, ExecSyncResponse, false>;
    Exec: Method<ExecRequest, ExecResponse, false>;
    Attach: Method<AttachRequest, AttachResponse, false>;
    PortForward: Method<PortForwardRequest, PortForwardResponse, false>;
    ContainerStats: Method<ContainerStatsRequest, ContainerStatsResponse, false>;
    ListContainerStats: Method<ListContainerStatsRequest, ListContainerStatsResponse, false>;
    StreamContainerStats: Method<StreamContainerStatsRequest, StreamContainerStatsResponse, true>;
    PodSandboxStats: Method<PodSandboxStatsRequest, PodSandboxStatsResponse, false>;
    ListPodSandboxStats: Method<ListPodSandboxStatsRequest, ListPodSandboxStatsResponse, false>;
    StreamPodSandboxStats: Method<StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse, true>;
    UpdateRuntimeConfig: Method<UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse, false>;
    Status: Method<StatusRequest, StatusResponse, false>;
    CheckpointContainer: Method<CheckpointContainerRequest, CheckpointContainerResponse, false>;
    GetContainerEvents: Method<GetEventsRequest, ContainerEventResponse, true>;
    ListMetricDescriptors: Method<ListMetricDescriptorsRequest, ListMetricDescriptorsResponse, false>;
    ListPodSandboxMetrics: Method<ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse, false>;
    StreamPodSandboxMetrics: Method<StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse, true>;
    RuntimeConfig: Method<RuntimeConfigRequest, RuntimeConfigResponse, false>;
    UpdatePodSandboxResources: Method<UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse, false>;
  };
  'runtime.v1.ImageService': {
    ListImages: Method<ListImagesRequest, ListImagesResponse, false>;
    StreamImages: Method<StreamImagesRequest, StreamImagesResponse, true>;
    ImageStatus: Method<ImageStatusRequest, ImageStatusResponse, false>;
    PullImage: Method<PullImageRequest, PullImageResponse, false>;
    RemoveImage: Method<RemoveImageRequest, RemoveImageResponse, false>;
    ImageFsInfo: Method<ImageFsInfoRequest, ImageFsInfoResponse, false>;
  };
  'berth.v1.Admin': {
    LoadImage: Method<LoadImageRequest, LoadImageResponse, false>;
    WatchPull: Method<WatchPullRequest, WatchPullResponse, true>;
    SaveImage: Method<SaveImageRequest, SaveImageResponse, false>;
    InspectImage: Method<InspectImageRequest, InspectImageResponse, false>;
    Check: Method<CheckRequest, CheckResponse, false>;
    Census: Method<CensusRequest, CensusResponse, false>;
  };
};

/** Names of the fields marked `debug_redact`. */
export const redacted: readonly string[];
