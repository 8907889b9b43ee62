import { containerConfigFromWire } from '../../cri/convert/container.ts';
import { sandboxConfigFromWire } from '../../cri/convert/sandbox.ts';
import { ContainerConfig, PodSandboxConfig, Signal, type Input } from '../../cri/proto/codec.js';
import type { ContainerConfig as PodContainerConfig, SandboxConfig } from '../../pod/config.ts';

/** What a kubelet sends for a pod. */
export const SANDBOX = {
  metadata: { name: 'web', uid: '7f0c', namespace: 'default', attempt: 1 },
  hostname: 'web',
  logDirectory: '/var/log/pods/default_web_7f0c',
  dnsConfig: {
    servers: ['10.96.0.10', 'fd00::10'],
    searches: ['svc.cluster.local', '.'],
    options: ['ndots:5'],
  },
  portMappings: [{ protocol: 1, containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' }],
  labels: { app: 'web' },
  annotations: { 'kubernetes.io/config.source': 'api' },
  linux: {
    cgroupParent: '/kubepods/burstable/pod7f0c',
    sysctls: { 'net.ipv4.ip_local_port_range': '1024 65535' },
    securityContext: {
      namespaceOptions: { network: 0, pid: 1, ipc: 0 },
      runAsUser: { value: 0n },
      supplementalGroups: [2000n],
      seccomp: { profileType: 0 },
    },
    resources: { cpuShares: 102, memoryLimitInBytes: 2 ** 40 },
  },
} satisfies Input<PodSandboxConfig>;

/** What a kubelet sends for a container, with more in it than one ever has. */
export const CONTAINER = {
  metadata: { name: 'app', attempt: 3 },
  image: { image: 'sha256:abc', userSpecifiedImage: 'busybox:1', annotations: { a: 'b' } },
  command: ['/bin/sh'],
  args: ['-c', 'true'],
  workingDir: '/srv',
  envs: [
    { key: 'A', value: Buffer.from('1') },
    { key: 'B', value: Buffer.from([0xff, 0xfe]) },
  ],
  mounts: [
    { containerPath: '/etc/hosts', hostPath: '/var/lib/kubelet/hosts', readonly: true },
    { containerPath: '/vol', image: { image: 'vol:1' }, imageSubPath: 'a/b', propagation: 0 },
  ],
  devices: [{ containerPath: '', hostPath: '/dev/fuse', permissions: 'rwm' }],
  CDIDevices: [{ name: 'vendor/class=gpu' }],
  labels: { 'io.kubernetes.container.name': 'app' },
  logPath: 'app/3.log',
  stopSignal: Signal.SIGRTMINPLUS3,
  linux: {
    resources: { cpuQuota: -1, oomScoreAdj: -997, unified: { 'memory.high': '1' } },
    securityContext: {
      capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
      namespaceOptions: { pid: 3, targetId: 'abc' },
      runAsUsername: 'www',
      runAsGroup: { value: 33n },
      noNewPrivs: true,
      maskedPaths: ['/proc/kcore'],
      apparmorProfile: 'localhost/berth',
      seccompProfilePath: 'unconfined',
      supplementalGroupsPolicy: 1,
    },
  },
} satisfies Input<ContainerConfig>;

/** A sandbox's configuration, over the wire and back. */
export const sandbox = (config: Input<PodSandboxConfig>): SandboxConfig =>
  sandboxConfigFromWire(PodSandboxConfig.decode(PodSandboxConfig.encode(config)));
/** A container's configuration, over the wire and back. */
export const container = (config: Input<ContainerConfig>): PodContainerConfig =>
  containerConfigFromWire(ContainerConfig.decode(ContainerConfig.encode(config)));
