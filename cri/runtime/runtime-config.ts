import type { UnaryHandler } from '../handler.ts';
import { CgroupDriver } from '../proto/codec.js';

/** The cgroup driver in force: the kubelet follows it. */
export const runtimeConfig: UnaryHandler<'RuntimeConfig'> = ({ pods }) => ({
  linux: { cgroupDriver: pods.cgroupDriver() === 'systemd' ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS },
});
