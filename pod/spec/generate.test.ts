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
const SELINUX = {
  contexts: {
    process: 'system_u:system_r:container_t:s0',
    file: 'system_u:object_r:container_file_t:s0',
  },
  level: 's0:c12,c400',
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
  'selinux-pod-level': sampleInput({ input: { selinux: SELINUX } }),
  'selinux-level-only': sampleInput({
    security: { selinux: { user: '', role: '', type: '', level: 's0:c100,c200' } },
    input: { selinux: SELINUX },
  }),
  'selinux-all-parts': sampleInput({
    security: { selinux: { user: 'u', role: 'r', type: 'spc_t', level: 's0-s3:c1.c5' } },
    input: { selinux: SELINUX },
  }),
  'selinux-of-the-sandbox': sampleInput({
    sandboxSecurity: { selinux: { user: '', role: '', type: 'pod_t', level: '' } },
    input: { selinux: SELINUX },
  }),
  'selinux-privileged': sampleInput({
    security: { privileged: true },
    sandboxSecurity: { privileged: true },
    input: { selinux: SELINUX },
  }),
  'apparmor-localhost': sampleInput({
    security: { apparmor: { type: 'localhost', localhostRef: 'localhost/mine' } },
    input: { apparmor: { available: true, loaded: new Set(['mine']) } },
  }),
  'ambient-capabilities': sampleInput({
    security: { capabilities: { add: ['SYS_TIME'], drop: ['MKNOD'], addAmbient: ['NET_BIND_SERVICE'] } },
    input: { user: { uid: 1000, gid: 1000, additionalGids: [1000], home: '/' } },
  }),
  'all-capabilities-but-one': sampleInput({
    security: { capabilities: { add: ['ALL'], drop: ['SYS_ADMIN'], addAmbient: [] }, noNewPrivs: true },
  }),
  'unmasked-proc': sampleInput({ security: { maskedPaths: [], readonlyPaths: [] } }),
  rlimits: sampleInput({ input: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }] } }),
  'recursive-read-only': sampleInput({
    container: {
      mounts: [
        { ...MOUNT, containerPath: '/ro', hostPath: '/mnt/ro', readonly: true, recursiveReadOnly: true },
        { ...MOUNT, containerPath: '/link', hostPath: '/mnt/link', readonly: true },
      ],
    },
    input: { mountSources: new Map([['/mnt/link', '/mnt/disk/target']]) },
  }),
  volumes: sampleInput({
    container: {
      mounts: [
        {
          ...MOUNT,
          containerPath: '/model',
          hostPath: '',
          imageSubPath: 'weights',
          image: { image: 'model:1', annotations: {}, userSpecifiedImage: 'model:1', runtimeHandler: '' },
        },
      ],
    },
    security: { readonlyRootfs: true },
    input: {
      imageVolumes: new Map([['/model', '/run/berth/containers/c1/volumes/0/weights']]),
      anonymousVolumes: [{ destination: '/model/cache', source: '/var/lib/berth/snapshots/c1/volumes/0' }],
    },
  }),
  'cdi-devices': sampleInput({
    container: { mounts: [{ ...MOUNT, containerPath: '/opt/lib', hostPath: '/mnt/replaced' }] },
    input: {
      user: { uid: 1000, gid: 1000, additionalGids: [1000], home: '/' },
      cdi: [
        { env: ['VENDOR=1', 'PATH=/opt/lib:/bin'], additionalGids: [44], deviceNodes: [] },
        {
          deviceNodes: [
            { path: '/dev/gpu0', type: 'c', major: 195, minor: 0, fileMode: 0o660, permissions: 'rw' },
            { path: '/dev/gpuctl', type: 'c', major: 195, minor: 255, fileMode: 0o666, uid: 0, gid: 44 },
            { path: '/run/pipe', type: 'p', fileMode: 0o600 },
          ],
          mounts: [
            {
              hostPath: '/usr/lib/gpu/deep',
              containerPath: '/opt/lib/deep',
              options: ['ro', 'nosuid', 'bind'],
            },
            { hostPath: '/usr/lib/gpu', containerPath: '/opt/lib', options: ['ro'] },
            { hostPath: 'tmpfs', containerPath: '/opt/tmp', type: 'tmpfs', options: ['size=1m'] },
          ],
          hooks: [
            { hookName: 'createContainer', path: '/usr/bin/gpu-hook', args: ['gpu-hook', 'ldcache'] },
            { hookName: 'createContainer', path: '/usr/bin/gpu-hook', env: ['A=1'], timeout: 5 },
            { hookName: 'poststop', path: '/usr/bin/gpu-hook' },
          ],
          intelRdt: { closID: 'gpu' },
        },
      ],
    },
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

  it('says what of a CDI device the runtimes do not know', () => {
    const cdi = (edits: object) => ({ input: { cdi: [{ deviceNodes: [], ...edits }] } });
    refuses('unimplemented', /Network devices/, cdi({ netDevices: [{ hostInterfaceName: 'a', name: 'b' }] }));
    refuses('unimplemented', /schemata/, cdi({ intelRdt: { schemata: ['L3:0=f'] } }));
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

  it('sets a named AppArmor profile that is loaded, and refuses one that is not', () => {
    const asking = (available: boolean, loaded: string[], privileged = false) => ({
      security: { apparmor: { type: 'localhost' as const, localhostRef: 'localhost/mine' }, privileged },
      sandboxSecurity: { privileged },
      input: { apparmor: { available, loaded: new Set(loaded) } },
    });
    const profileOf = (...facts: Parameters<typeof asking>): string | undefined =>
      generateSpec(sampleInput(asking(...facts))).spec.process.apparmorProfile;
    assert.equal(profileOf(true, ['other', 'mine']), 'mine');
    assert.equal(profileOf(true, ['mine'], true), undefined, 'a privileged container is unconfined');
    refuses('precondition', /"mine" is not loaded/, asking(true, ['other']));
    assert.match(generateSpec(sampleInput(asking(false, []))).notes.join(), /mine left out.*no AppArmor/);
  });

  it('refuses users and groups that the user namespace does not have', () => {
    const asking = (user: object) => ({
      input: {
        userns: { ...USERNS, path: '/p/user' },
        user: { uid: 0, gid: 0, additionalGids: [], ...user },
      },
    });
    refuses('invalid', /user id 70000/, asking({ uid: 70_000 }));
    refuses('invalid', /group id 70001/, asking({ gid: 70_001 }));
    refuses('invalid', /group id 70002/, asking({ additionalGids: [1, 70_002] }));
  });

  it('leaves SELinux labels out with a note where SELinux is off, and refuses bad ones', () => {
    const label = (level: string) => ({ security: { selinux: { user: '', role: '', type: '', level } } });
    assert.match(generateSpec(sampleInput(label('s0:c1'))).notes.join(), /SELinux label left out/);
    assert.deepEqual(generateSpec(sampleInput(label(''))).notes, generateSpec(sampleInput()).notes);
    refuses('invalid', /no SELinux level/, label('c1'));
  });

  it('tells that a mount was not relabelled where SELinux is off, and only there', () => {
    const mounts = [{ ...MOUNT, containerPath: '/x', hostPath: '/srv', selinuxRelabel: true }];
    const notesOf = (input: object): string =>
      generateSpec(sampleInput({ container: { mounts }, input })).notes.join();
    assert.match(notesOf({}), /relabelling of the mounts at \/x left out: SELinux is off/);
    assert.doesNotMatch(notesOf({ selinux: SELINUX }), /relabel/);
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
