import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Fault } from '../../ground/fault.ts';
import type { SandboxConfig } from '../../pod/config.ts';
import { ContainerConfig, ImageSpec, LinuxContainerResources, Signal, type Input } from '../proto/codec.js';
import { containerConfigFromWire } from './container.ts';
import { authFromWire, imageToWire } from './image.ts';
import { imageSpecFromWire } from './image-spec.ts';
import { signalName, signalNumberOnWire } from './names.ts';
import { resourcesFromWire, resourcesToWire } from './resources.ts';
import { sandboxFilterFromWire } from './sandbox.ts';
import { BUSYBOX } from '../../test/fakes/rooms.ts';

import { CONTAINER, container, SANDBOX, sandbox } from '../../test/fakes/wire.ts';

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
