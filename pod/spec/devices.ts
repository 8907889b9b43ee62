import type { SpecInput } from './input.ts';
import type { OciDevice, OciDeviceRule } from './oci-spec.ts';

/**
 * Device nodes to make, and the rules of the device cgroup: everything is denied, then what was granted is allowed.
 * The nodes that every container has (null, zero, full, random, urandom, tty, ptmx) the OCI runtime adds by itself
 * (config-linux.md, "Default Devices"). A privileged container may use every device, also those that come later.
 */
export function devicesOf(input: SpecInput): { devices: OciDevice[]; rules: OciDeviceRule[] } {
  const devices = input.devices.map(({ access: _access, ...device }) => device);
  if (input.container.security.privileged) return { devices, rules: [{ allow: true, access: 'rwm' }] };
  const rules: OciDeviceRule[] = [{ allow: false, access: 'rwm' }];
  for (const { type, major, minor, access } of input.devices) {
    if (type !== 'p') rules.push({ allow: true, type, major, minor, access });
  }
  return { devices, rules };
}
