import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Fault } from '../../ground/fault.ts';
import type { ContainerConfig as PodContainerConfig, SandboxConfig } from '../../pod/config.ts';
import {
  ContainerConfig,
  ImageSpec,
  LinuxContainerResources,
  PodSandboxConfig,
  Signal,
  type Input,
} from '../proto/codec.js';
import { containerConfigFromWire, containerFilterFromWire } from './container.ts';
import { authFromWire, imageToWire } from './image.ts';
import { imageSpecFromWire } from './image-spec.ts';
import { signalName, signalNumberOnWire } from './names.ts';
import { resourcesFromWire, resourcesToWire } from './resources.ts';
import { sandboxConfigFromWire, sandboxFilterFromWire } from './sandbox.ts';
import { BUSYBOX } from '../../test/fakes/rooms.ts';

/** What a kubelet sends for a pod. */
const SANDBOX = {
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

const CONTAINER = {
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

const sandbox = (config: Input<PodSandboxConfig>): SandboxConfig =>
  sandboxConfigFromWire(PodSandboxConfig.decode(PodSandboxConfig.encode(config)));
const container = (config: Input<ContainerConfig>): PodContainerConfig =>
  containerConfigFromWire(ContainerConfig.decode(ContainerConfig.encode(config)));

describe('conversion from the wire', () => {
  it('reads a sandbox as a kubelet sends it', () => {
    assert.deepEqual(sandbox(SANDBOX), {
      metadata: SANDBOX.metadata,
      hostname: 'web',
      logDirectory: '/var/log/pods/default_web_7f0c',
      dns: SANDBOX.dnsConfig,
      portMappings: [{ protocol: 'udp', containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' }],
      labels: SANDBOX.labels,
      annotations: SANDBOX.annotations,
      cgroupParent: '/kubepods/burstable/pod7f0c',
      sysctls: SANDBOX.linux.sysctls,
      security: {
        namespaces: { network: 'pod', pid: 'container', ipc: 'pod', targetId: '', userns: undefined },
        selinux: undefined,
        runAsUser: 0,
        runAsGroup: undefined,
        readonlyRootfs: false,
        supplementalGroups: [2000],
        supplementalGroupsPolicy: 'merge',
        privileged: false,
        seccomp: { type: 'runtime-default', localhostRef: '' },
        apparmor: undefined,
      },
      overhead: undefined,
      resources: {
        cpuPeriod: 0,
        cpuQuota: 0,
        cpuShares: 102,
        memoryLimitInBytes: 2 ** 40,
        memorySwapLimitInBytes: 0,
        oomScoreAdj: 0,
        cpusetCpus: '',
        cpusetMems: '',
        hugepageLimits: [],
        unified: {},
      },
    } satisfies SandboxConfig);
  });

  it('reads a container as a kubelet sends it', () => {
    const read = container(CONTAINER);
    assert.deepEqual(read.image, {
      image: 'sha256:abc',
      annotations: { a: 'b' },
      userSpecifiedImage: 'busybox:1',
      runtimeHandler: '',
    });
    assert.deepEqual(
      read.envs.map(({ key, value }) => [key, Buffer.from(value).toString('latin1')]),
      [
        ['A', '1'],
        ['B', '\xff\xfe'],
      ],
    );
    assert.deepEqual(
      read.mounts.map(({ hostPath, readonly, image, imageSubPath }) => [
        hostPath,
        readonly,
        image?.image,
        imageSubPath,
      ]),
      [
        ['/var/lib/kubelet/hosts', true, undefined, ''],
        ['', false, 'vol:1', 'a/b'],
      ],
    );
    assert.deepEqual(read.devices, [
      { containerPath: '/dev/fuse', hostPath: '/dev/fuse', permissions: 'rwm' },
    ]);
    assert.deepEqual(read.cdiDevices, ['vendor/class=gpu']);
    assert.equal(read.stopSignal, 'SIGRTMIN+3');
    assert.equal(read.logPath, 'app/3.log');
    assert.deepEqual([read.resources?.cpuQuota, read.resources?.oomScoreAdj], [-1, -997]);
    const { security } = read;
    assert.deepEqual(security.capabilities, { add: ['NET_ADMIN'], drop: ['ALL'], addAmbient: [] });
    assert.deepEqual([security.namespaces.pid, security.namespaces.targetId], ['target', 'abc']);
    assert.deepEqual([security.runAsUsername, security.runAsGroup], ['www', 33]);
    assert.deepEqual(security.seccomp, { type: 'unconfined', localhostRef: '' });
    assert.deepEqual(security.apparmor, { type: 'localhost', localhostRef: 'berth' });
    assert.equal(security.supplementalGroupsPolicy, 'strict');
  });

  it('does not keep the buffer of the call alive for the environment', () => {
    const bytes = ContainerConfig.encode({ ...CONTAINER, labels: { big: 'x'.repeat(100_000) } });
    const { envs } = containerConfigFromWire(ContainerConfig.decode(bytes));
    assert.deepEqual(
      envs.map(({ value }) => value.buffer.byteLength),
      [3, 3],
    );
  });

  it('takes the shortest configurations that mean something', () => {
    const bare = sandbox({ metadata: SANDBOX.metadata });
    assert.deepEqual(bare.security.namespaces, { network: 'pod', pid: 'pod', ipc: 'pod', targetId: '' });
    assert.equal(bare.resources, undefined);
    const plain = container({ metadata: { name: 'c' }, image: { image: 'x' } });
    assert.equal(plain.stopSignal, '');
    assert.equal(plain.security.capabilities, undefined);
  });

  const refusals: [what: string, read: () => unknown, text: string][] = [
    ['no sandbox configuration', () => sandboxConfigFromWire(null), 'config is missing'],
    ['no metadata', () => sandbox({}), 'config.metadata is missing'],
    [
      'no pod name',
      () => sandbox({ metadata: { uid: 'u', namespace: 'n' } }),
      'config.metadata.name is empty',
    ],
    ['no uid', () => sandbox({ metadata: { name: 'n', namespace: 'n' } }), 'config.metadata.uid is empty'],
    [
      'a line in a name',
      () => sandbox({ metadata: { ...SANDBOX.metadata, name: 'a\nb' } }),
      'control character',
    ],
    ['NUL in a label', () => sandbox({ ...SANDBOX, labels: { a: 'x\0' } }), 'config.labels.a holds a NUL'],
    ['NUL in a key', () => sandbox({ ...SANDBOX, labels: { 'a\0': '' } }), 'key with a NUL'],
    ['an empty label', () => sandbox({ ...SANDBOX, labels: { '': 'x' } }), 'config.labels has an empty key'],
    ['a long host name', () => sandbox({ ...SANDBOX, hostname: 'x'.repeat(65) }), '65 characters'],
    ['an odd host name', () => sandbox({ ...SANDBOX, hostname: 'a b' }), 'that is no host name'],
    ['a relative log directory', () => sandbox({ ...SANDBOX, logDirectory: 'logs' }), 'absolute path'],
    [
      'a name server that is none',
      () => sandbox({ ...SANDBOX, dnsConfig: { servers: ['8.8.8.8\nx'] } }),
      'config.dnsConfig.servers[0] is no IP address',
    ],
    [
      'a search domain of two words',
      () => sandbox({ ...SANDBOX, dnsConfig: { searches: ['a', 'b\nnameserver 1.1.1.1'] } }),
      'config.dnsConfig.searches[1]',
    ],
    [
      'a negative port',
      () => sandbox({ ...SANDBOX, portMappings: [{ containerPort: -1 }] }),
      'config.portMappings[0].containerPort is -1: it has to lie between 0 and 65535',
    ],
    ['a large port', () => sandbox({ ...SANDBOX, portMappings: [{ hostPort: 65536 }] }), 'hostPort is 65536'],
    [
      'a port to nowhere',
      () => sandbox({ ...SANDBOX, portMappings: [{ hostPort: 80 }] }),
      'between 1 and 65535',
    ],
    [
      'an unknown protocol',
      () => sandbox({ ...SANDBOX, portMappings: [{ protocol: 7, containerPort: 1 }] }),
      'protocol is 7: it has to be one of 0 (tcp) to 2 (sctp)',
    ],
    [
      'a bad host IP',
      () => sandbox({ ...SANDBOX, portMappings: [{ containerPort: 1, hostIp: 'x' }] }),
      'hostIp',
    ],
    [
      'an odd sysctl',
      () => sandbox({ ...SANDBOX, linux: { sysctls: { '../x': '1' } } }),
      'that is no sysctl',
    ],
    [
      'a namespace of a container',
      () => sandbox({ ...SANDBOX, linux: { securityContext: { namespaceOptions: { network: 1 } } } }),
      'namespaceOptions.network cannot be container',
    ],
    [
      'a sandbox that joins a container',
      () =>
        sandbox({ ...SANDBOX, linux: { securityContext: { namespaceOptions: { pid: 3, targetId: 'a' } } } }),
      'cannot be target in a sandbox',
    ],
    [
      'a user namespace without mappings',
      () =>
        sandbox({
          ...SANDBOX,
          linux: { securityContext: { namespaceOptions: { usernsOptions: { mode: 0 } } } },
        }),
      'usernsOptions maps no user or group ids',
    ],
    [
      'a group without a user',
      () => sandbox({ ...SANDBOX, linux: { securityContext: { runAsGroup: { value: 1 } } } }),
      'runAsGroup is given without runAsUser',
    ],
    [
      'a negative user',
      () => sandbox({ ...SANDBOX, linux: { securityContext: { runAsUser: { value: -1 } } } }),
      'runAsUser is -1',
    ],
    [
      'a number that no plain number can hold',
      () => sandbox({ ...SANDBOX, linux: { resources: { memoryLimitInBytes: 2n ** 60n } } }),
      'memoryLimitInBytes is 1152921504606846976',
    ],
    ['no image', () => container({ metadata: { name: 'c' } }), 'config.image is missing'],
    ['an empty image', () => container({ ...CONTAINER, image: {} }), 'config.image.image is empty'],
    ['no container name', () => container({ ...CONTAINER, metadata: {} }), 'config.metadata.name is empty'],
    [
      'NUL in an argument',
      () => container({ ...CONTAINER, args: ['a', 'b\0'] }),
      'config.args[1] holds a NUL',
    ],
    [
      'NUL in the environment',
      () => container({ ...CONTAINER, envs: [{ key: 'A', value: Buffer.from([65, 0]) }] }),
      'config.envs[0].value (A) holds a NUL byte',
    ],
    [
      'an odd variable',
      () => container({ ...CONTAINER, envs: [{ key: 'A=B' }] }),
      'config.envs[0].key is "A=B"',
    ],
    ['a relative directory', () => container({ ...CONTAINER, workingDir: 'x' }), 'config.workingDir'],
    [
      'a mount on nothing',
      () => container({ ...CONTAINER, mounts: [{ hostPath: '/x' }] }),
      'containerPath is empty',
    ],
    [
      'a mount of nothing',
      () => container({ ...CONTAINER, mounts: [{ containerPath: '/x' }] }),
      'hostPath is empty',
    ],
    [
      'an unknown propagation',
      () => container({ ...CONTAINER, mounts: [{ hostPath: '/x', containerPath: '/x', propagation: 3 }] }),
      'config.mounts[0].propagation is 3',
    ],
    [
      'a mount of two things',
      () =>
        container({ ...CONTAINER, mounts: [{ hostPath: '/x', containerPath: '/x', image: { image: 'i' } }] }),
      'config.mounts[0] has both',
    ],
    [
      'recursive read-only that may be written',
      () =>
        container({
          ...CONTAINER,
          mounts: [{ hostPath: '/x', containerPath: '/x', recursiveReadOnly: true }],
        }),
      'is set without readonly',
    ],
    [
      'an image path that leads outside',
      () =>
        container({
          ...CONTAINER,
          mounts: [{ containerPath: '/x', image: { image: 'i' }, imageSubPath: 'a/..' }],
        }),
      'imageSubPath is "a/..": it leads outside',
    ],
    [
      'odd permissions',
      () => container({ ...CONTAINER, devices: [{ hostPath: '/d', permissions: 'x' }] }),
      'r, w and m',
    ],
    [
      'a log outside',
      () => container({ ...CONTAINER, logPath: '../../etc/passwd' }),
      'logPath is "../../etc/passwd"',
    ],
    [
      'an absolute log',
      () => container({ ...CONTAINER, logPath: '/etc/passwd' }),
      'it has to be a relative path',
    ],
    [
      'an unknown signal',
      () => container({ ...CONTAINER, stopSignal: 66 }),
      'stopSignal is 66: that is no signal',
    ],
    [
      'an oom score that is none',
      () => container({ ...CONTAINER, linux: { resources: { oomScoreAdj: 1001 } } }),
      'oomScoreAdj is 1001',
    ],
    [
      'a container to join that is not named',
      () => container({ ...CONTAINER, linux: { securityContext: { namespaceOptions: { pid: 3 } } } }),
      'targetId is empty',
    ],
    [
      'a profile that is no path',
      () =>
        container({
          ...CONTAINER,
          linux: { securityContext: { seccomp: { profileType: 2, localhostRef: 'x' } } },
        }),
      'seccomp.localhostRef',
    ],
    [
      'an unknown profile',
      () => container({ ...CONTAINER, linux: { securityContext: { apparmorProfile: 'x' } } }),
      'apparmor is "x"',
    ],
    ['no image to pull', () => imageSpecFromWire(null, 'image'), 'image is missing'],
    [
      'an unknown state',
      () => containerFilterFromWire({ id: '', podSandboxId: '', labelSelector: {}, state: { state: 9 } }),
      'filter.state is 9',
    ],
  ];
  for (const [what, read, text] of refusals)
    it(`refuses ${what}`, () => {
      assert.throws(read, (error: unknown) => {
        assert.ok(error instanceof Fault && error.kind === 'invalid', String(error));
        assert.ok(error.message.includes(text), `${error.message}\nlacks: ${text}`);
        return true;
      });
    });

  it('never throws anything but a Fault, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let message: ContainerConfig;
        try {
          message = ContainerConfig.decode(bytes);
        } catch {
          return; // not a message: the server refuses it before
        }
        try {
          containerConfigFromWire(message);
        } catch (error) {
          assert.ok(error instanceof Fault, String(error));
        }
      }),
    );
  });

  it('reads filters: what is empty does not filter', () => {
    const filter = { id: '', state: null, labelSelector: {} };
    assert.deepEqual(sandboxFilterFromWire(filter), { id: undefined, state: undefined, labels: {} });
    assert.equal(sandboxFilterFromWire(null), undefined);
    assert.deepEqual(sandboxFilterFromWire({ ...filter, id: 'a', state: { state: 1 } }), {
      id: 'a',
      state: 'notready',
      labels: {},
    });
  });

  it('brings every signal and all resources back as they came', () => {
    for (const number of Object.values(Signal))
      assert.equal(signalNumberOnWire(signalName(number, 's')), number);
    assert.equal(signalNumberOnWire('quit'), Signal.SIGQUIT);
    assert.equal(signalNumberOnWire('SIGNOTHING'), 0);
    const resources: Input<LinuxContainerResources> = {
      cpuPeriod: 100_000n,
      cpuQuota: -1n,
      memoryLimitInBytes: 2n ** 50n,
      hugepageLimits: [{ pageSize: '2MB', limit: 2n ** 63n }],
      unified: { 'memory.high': 'max' },
    };
    const bytes = LinuxContainerResources.encode(resources);
    const read = resourcesFromWire(LinuxContainerResources.decode(bytes), 'r')!;
    assert.deepEqual(LinuxContainerResources.encode(resourcesToWire(read)), bytes);
  });

  it("says who an image's user is, by number or by name", () => {
    const user = (text: string): unknown[] => {
      const { uid, username } = imageToWire({ ...BUSYBOX, config: { ...BUSYBOX.config, user: text } });
      return [uid?.value, username];
    };
    assert.deepEqual(user('1000:5'), [1000n, '']);
    assert.deepEqual(user('www:www'), [undefined, 'www']);
    assert.deepEqual(user(''), [undefined, '']);
    const spec = ImageSpec.decode(ImageSpec.encode({ image: 'x' }));
    assert.equal(imageSpecFromWire(spec, 'image').image, 'x');
    assert.equal(authFromWire(null), undefined);
  });
});
