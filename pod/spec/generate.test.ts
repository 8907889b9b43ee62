import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../ground/fault.ts';
import { generateSpec } from './generate.ts';
import type { SpecInput } from './input.ts';
import { sampleInput } from './sample-input.ts';

const GOLDEN = join(import.meta.dirname, 'golden');
const bytes = (text: string): Uint8Array => Buffer.from(text);
const NO_RESOURCES = {
  cpuPeriod: 0,
  cpuQuota: 0,
  cpuShares: 0,
  memoryLimitInBytes: 0,
  memorySwapLimitInBytes: 0,
  oomScoreAdj: 0,
  cpusetCpus: '',
  cpusetMems: '',
  hugepageLimits: [],
  unified: {},
};
const MOUNT = {
  readonly: false,
  selinuxRelabel: false,
  propagation: 'private' as const,
  recursiveReadOnly: false,
  uidMappings: [],
  gidMappings: [],
  imageSubPath: '',
};
const OWN = { network: 'pod', pid: 'container', ipc: 'pod', targetId: '' } as const;

const USERNS = {
  mode: 'pod' as const,
  uids: [{ containerId: 0, hostId: 100_000, length: 65_536 }],
  gids: [{ containerId: 0, hostId: 200_000, length: 65_536 }],
};

/** Each is one file in golden/; `UPDATE_GOLDEN=1` writes them anew. */
const CONFIGURATIONS: Record<string, SpecInput> = {
  ordinary: sampleInput(),
  'kubelet-burstable': sampleInput({
    container: {
      envs: [{ key: 'KUBERNETES_SERVICE_HOST', value: bytes('10.96.0.1') }],
      mounts: [
        { ...MOUNT, containerPath: '/etc/hosts', hostPath: '/var/lib/kubelet/pods/1/etc-hosts' },
        {
          ...MOUNT,
          containerPath: '/dev/termination-log',
          hostPath: '/var/lib/kubelet/pods/1/containers/app/log',
        },
        {
          ...MOUNT,
          containerPath: '/var/run/secrets/kubernetes.io/serviceaccount',
          hostPath: '/v/token',
          readonly: true,
        },
      ],
      resources: {
        ...NO_RESOURCES,
        cpuPeriod: 100_000,
        cpuQuota: 50_000,
        cpuShares: 102,
        memoryLimitInBytes: 128 * 1024 * 1024,
        oomScoreAdj: 985,
        hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
      },
    },
    security: { seccomp: { type: 'unconfined', localhostRef: '' } },
  }),
  'runtime-default-seccomp': sampleInput({
    security: { seccomp: { type: 'runtime-default', localhostRef: '' }, noNewPrivs: true },
  }),
  'localhost-seccomp': sampleInput({
    security: { seccomp: { type: 'localhost', localhostRef: 'p.json' } },
    input: { localhostSeccomp: { defaultAction: 'SCMP_ACT_LOG', syscalls: [] } },
  }),
  privileged: sampleInput({
    security: { privileged: true, seccomp: { type: 'runtime-default', localhostRef: '' } },
    sandboxSecurity: { privileged: true },
    input: {
      devices: [
        {
          path: '/dev/kvm',
          type: 'c',
          major: 10,
          minor: 232,
          fileMode: 0o660,
          uid: 0,
          gid: 104,
          access: 'rwm',
        },
      ],
    },
  }),
  'node-namespaces': sampleInput({
    security: { namespaces: { network: 'node', pid: 'node', ipc: 'node', targetId: '' } },
    input: { namespaces: {}, hostname: 'node-1', files: { resolvConf: '/r/resolv.conf', shm: '/dev/shm' } },
  }),
  'shared-pid': sampleInput({
    security: { namespaces: { ...OWN, pid: 'pod' } },
    input: { namespaces: { net: '/p/net', ipc: '/p/ipc', uts: '/p/uts', pid: '/proc/42/ns/pid' } },
  }),
  'target-pid': sampleInput({
    security: { namespaces: { ...OWN, pid: 'target', targetId: 'c0' } },
    input: { namespaces: { net: '/p/net', ipc: '/p/ipc', uts: '/p/uts', pid: '/proc/77/ns/pid' } },
  }),
  'readonly-nobody': sampleInput({
    security: {
      readonlyRootfs: true,
      capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'], addAmbient: [] },
    },
    input: { user: { uid: 65534, gid: 65534, additionalGids: [2000, 65534], home: '/' } },
  }),
  'shared-pid-of-the-node': sampleInput({
    security: { namespaces: { ...OWN, pid: 'pod' } },
    sandboxSecurity: { namespaces: { ...OWN, pid: 'node' } },
  }),
  'user-namespace': sampleInput({
    security: { namespaces: { ...OWN, pid: 'pod', userns: USERNS } },
    sandboxSecurity: { namespaces: { ...OWN, pid: 'pod', userns: USERNS } },
    input: {
      namespaces: { net: '/p/net', ipc: '/p/ipc', uts: '/p/uts', pid: '/p/pid' },
      userns: { ...USERNS, path: '/p/user' },
    },
  }),
  'user-namespace-privileged': sampleInput({
    security: { privileged: true, namespaces: { ...OWN, userns: USERNS } },
    sandboxSecurity: { privileged: true, namespaces: { ...OWN, userns: USERNS } },
    input: { userns: { ...USERNS, path: '/p/user' } },
  }),
  'user-namespace-on-the-network-of-the-node': sampleInput({
    security: { namespaces: { ...OWN, network: 'node', userns: USERNS } },
    sandboxSecurity: { namespaces: { ...OWN, network: 'node', userns: USERNS } },
    input: { namespaces: { ipc: '/p/ipc' }, hostname: 'node-1', userns: { ...USERNS, path: '/p/user' } },
  }),
  terminal: sampleInput({
    container: { tty: true, stdin: true, command: ['/bin/sh'], args: ['-l'], workingDir: '/srv' },
  }),
  propagation: sampleInput({
    container: {
      mounts: [
        { ...MOUNT, containerPath: '/host/deep/er', hostPath: '/mnt/b', propagation: 'bidirectional' },
        { ...MOUNT, containerPath: '/host', hostPath: '/mnt/a', propagation: 'host-to-container' },
        { ...MOUNT, containerPath: '/dev/shm/', hostPath: '/mnt/shm' },
      ],
    },
  }),
  'cgroup-v2-systemd': sampleInput({
    container: { resources: { ...NO_RESOURCES, cpuShares: 2, unified: { 'memory.high': '1048576' } } },
    node: { cgroupVersion: 2, hugetlb: true, boundingCapabilities: sampleInput().node.boundingCapabilities },
    input: { cgroupsPath: 'kubepods-burstable-pod1.slice:berth:c1' },
  }),
  'cgroup-v2-privileged': sampleInput({
    security: { privileged: true },
    sandboxSecurity: { privileged: true },
    node: { cgroupVersion: 2 },
  }),
  devices: sampleInput({
    input: {
      devices: [
        {
          path: '/dev/fuse',
          type: 'c',
          major: 10,
          minor: 229,
          fileMode: 0o666,
          uid: 0,
          gid: 0,
          access: 'rw',
        },
        { path: '/dev/loop0', type: 'b', major: 7, minor: 0, fileMode: 0o660, uid: 0, gid: 6, access: 'rwm' },
      ],
    },
  }),
};

describe('generateSpec', () => {
  for (const [name, input] of Object.entries(CONFIGURATIONS)) {
    it(`writes ${name} as golden/${name}.json says`, () => {
      const file = join(GOLDEN, `${name}.json`);
      const text = `${JSON.stringify(generateSpec(input), null, 2)}\n`;
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
      // The formatter lays JSON out as it likes.
      assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(file, 'utf8')));
    });
  }

  it('refuses a privileged container in a sandbox that is not', () => {
    refuses('invalid', /privileged sandbox/, { security: { privileged: true } });
  });

  it('says what it does not serve', () => {
    refuses('unimplemented', /CDI/, { container: { cdiDevices: ['vendor.com/gpu=0'] } });
    refuses('unimplemented', /SELinux/, {
      security: { selinux: { user: '', role: '', type: 'spc_t', level: '' } },
    });
    refuses('unimplemented', /AppArmor/, {
      security: { apparmor: { type: 'localhost', localhostRef: 'mine' } },
    });
  });

  it('accepts the empty SELinux label and the AppArmor profiles that ask for nothing', () => {
    generateSpec(
      sampleInput({
        security: {
          selinux: { user: '', role: '', type: '', level: '' },
          apparmor: { type: 'runtime-default', localhostRef: '' },
          namespaces: { ...OWN, userns: { mode: 'node', uids: [], gids: [] } },
        },
      }),
    );
  });

  it('sets a named AppArmor profile where the kernel has AppArmor', () => {
    const { spec } = generateSpec(
      sampleInput({
        security: { apparmor: { type: 'localhost', localhostRef: 'localhost/mine' } },
        node: { apparmor: true },
      }),
    );
    assert.equal(spec.process.apparmorProfile, 'mine');
  });

  it('refuses a seccomp profile on a node that cannot filter', () => {
    refuses('precondition', /does not filter/, {
      security: { seccomp: { type: 'runtime-default', localhostRef: '' } },
      node: { seccomp: false },
    });
  });

  it('refuses masked and read-only paths that are none', () => {
    refuses('invalid', /masked or read-only/, { security: { maskedPaths: ['proc'] } });
    refuses('invalid', /masked or read-only/, { security: { readonlyPaths: ['/a\0'] } });
  });
});

function refuses(kind: Fault['kind'], text: RegExp, changes: Parameters<typeof sampleInput>[0]): void {
  assert.throws(
    () => generateSpec(sampleInput(changes)),
    (error) => error instanceof Fault && error.kind === kind && text.test(error.message),
  );
}
