import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { hostDevices, nodeDevices, requestedDevices } from './host-devices.ts';
import { sampleInput } from './sample-input.ts';

const device = (hostPath: string, containerPath = hostPath, permissions = 'rwm') => ({
  hostPath,
  containerPath,
  permissions,
});

describe('host devices', () => {
  it('describes one device under the container’s path', () => {
    // Whoever owns it on this machine owns it in the container.
    const { uid, gid } = statSync('/dev/null');
    assert.deepEqual(requestedDevices([device('/dev/null', '/dev/nothing', 'rw')]), [
      { path: '/dev/nothing', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid, gid, access: 'rw' },
    ]);
  });

  it('lists the node’s devices without terminals and shared memory', () => {
    const paths = nodeDevices().map(({ path }) => path);
    assert.ok(paths.includes('/dev/null'));
    assert.ok(!paths.some((path) => /^\/dev\/(pts|shm|mqueue|fd)/.test(path)));
  });

  it('gives all to privileged containers and what they ask for to others', () => {
    assert.deepEqual(hostDevices(sampleInput().container), []);
    const privileged = sampleInput({
      security: { privileged: true },
      container: { devices: [device('/dev/null', '/x')] },
    });
    const paths = hostDevices(privileged.container).map(({ path }) => path);
    assert.ok(paths.includes('/dev/zero') && paths.includes('/x'));
    assert.equal(new Set(paths).size, paths.length);
  });

  it('refuses what is no device, or not below /dev', () => {
    for (const bad of [
      device('/etc/passwd'),
      device('/dev/../etc/passwd'),
      device('/dev/there-is-none'),
      device('/dev/stdin/..'),
      device('/dev/null', 'relative'),
      device('/dev/null', '/dev/null', 'x'),
      device('/dev/null', '/dev/null', ''),
    ])
      assert.throws(() => requestedDevices([bad]), { kind: 'invalid' }, bad.hostPath);
  });
});
