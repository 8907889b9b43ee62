import assert from 'node:assert/strict';
import { Fault } from '../../ground/fault.ts';
import { CONTAINER, container, SANDBOX, sandbox } from '../../test/fakes/wire.ts';
import { containerFilterFromWire } from './container.ts';
import { imageSpecFromWire } from './image-spec.ts';
import { sandboxConfigFromWire } from './sandbox.ts';

describe('the wire', () => {
  const refusals: [what: string, read: () => unknown, text: string][] = [
    ['no sandbox configuration', () => sandboxConfigFromWire(null), 'config is missing'],
    ['no metadata', () => sandbox({}), 'config.metadata is missing'],
    [
      'no pod name',
      () => sandbox({ metadata: { uid: 'u', namespace: 'n' } }),
      'config.metadata.name is empty',
    ],
    [
      'a sandbox for Windows',
      () => sandbox({ ...SANDBOX, windows: {} }),
      'config.windows is set, and Berth runs',
    ],
    ['a container for Windows', () => container({ ...CONTAINER, windows: {} }), 'config.windows is set'],
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
});
