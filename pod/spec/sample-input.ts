import type { ContainerConfig, SandboxConfig } from '../config.ts';
import type { NodeFacts, SpecInput } from './input.ts';
import { CAPABILITIES } from './capabilities.ts';

/** For tests: an ordinary node, pod and container, each part replaceable. */
export function sampleInput(
  changes: {
    container?: Partial<ContainerConfig>;
    security?: Partial<ContainerConfig['security']>;
    sandbox?: Partial<SandboxConfig>;
    sandboxSecurity?: Partial<SandboxConfig['security']>;
    node?: Partial<NodeFacts>;
    input?: Partial<SpecInput>;
  } = {},
): SpecInput {
  return {
    id: 'c1',
    sandboxId: 's1',
    sandbox: {
      metadata: { name: 'web', uid: 'uid-1', namespace: 'default', attempt: 0 },
      hostname: 'web',
      logDirectory: '/var/log/pods/default_web_uid-1',
      portMappings: [],
      labels: {},
      annotations: {},
      cgroupParent: '/kubepods/poduid-1',
      sysctls: {},
      security: {
        namespaces: { network: 'pod', pid: 'container', ipc: 'pod', targetId: '' },
        readonlyRootfs: false,
        supplementalGroups: [],
        supplementalGroupsPolicy: 'merge',
        privileged: false,
        ...changes.sandboxSecurity,
      },
      ...changes.sandbox,
    },
    container: {
      metadata: { name: 'app', attempt: 0 },
      image: {
        image: 'sha256:0123',
        annotations: {},
        userSpecifiedImage: 'docker.io/library/app:1',
        runtimeHandler: '',
      },
      command: [],
      args: [],
      workingDir: '',
      envs: [],
      mounts: [],
      devices: [],
      cdiDevices: [],
      labels: {},
      annotations: {},
      logPath: 'app/0.log',
      stdin: false,
      stdinOnce: false,
      tty: false,
      security: {
        privileged: false,
        namespaces: { network: 'pod', pid: 'container', ipc: 'pod', targetId: '' },
        runAsUsername: '',
        readonlyRootfs: false,
        supplementalGroups: [],
        supplementalGroupsPolicy: 'merge',
        noNewPrivs: false,
        maskedPaths: ['/proc/kcore', '/sys/firmware'],
        readonlyPaths: ['/proc/sys'],
        ...changes.security,
      },
      stopSignal: '',
      ...changes.container,
    },
    image: {
      user: '',
      env: ['PATH=/bin:/usr/bin'],
      entrypoint: ['/entry'],
      cmd: ['serve'],
      workingDir: '',
      volumes: [],
      labels: {},
      stopSignal: '',
    },
    rootfs: '/run/berth/containers/c1/rootfs',
    user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
    namespaces: { net: '/proc/42/ns/net', ipc: '/proc/42/ns/ipc', uts: '/proc/42/ns/uts' },
    cgroupsPath: '/kubepods/poduid-1/c1',
    hostname: 'web',
    files: {
      resolvConf: '/run/berth/pods/s1/resolv.conf',
      hostname: '/run/berth/pods/s1/hostname',
      shm: '/run/berth/pods/s1/shm',
    },
    devices: [],
    mountSources: new Map(),
    imageVolumes: new Map(),
    anonymousVolumes: [],
    cdi: [],
    rlimits: [],
    apparmor: { available: false, loaded: new Set() },
    handler: { recursiveReadOnly: true },
    ...changes.input,
    node: {
      arch: 'x64',
      cgroupVersion: 1,
      boundingCapabilities: CAPABILITIES.filter((name) => name !== 'CAP_SYS_RESOURCE'),
      seccomp: true,
      apparmor: false,
      selinux: false,
      hugetlb: false,
      swapAccounting: true,
      minOomScoreAdj: 0,
      ...changes.node,
    },
  };
}
