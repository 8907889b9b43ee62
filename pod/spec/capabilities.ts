import { Fault } from '../../ground/fault.ts';
import type { OciCapabilities } from './oci-spec.ts';

/** Every capability of Linux 6.x in the order of its number (capabilities(7), linux/capability.h). */
export const CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
];

/** What a container has when nobody asks for anything: the set that Docker documents and containerd uses. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** The names of the bits set in a mask of /proc/<pid>/status (`CapBnd`: hexadecimal, proc(5)). */
export function capabilitiesOfMask(hexadecimal: string): string[] {
  const mask = BigInt(`0x${hexadecimal}`);
  return CAPABILITIES.filter((_name, bit) => (mask & (1n << BigInt(bit))) !== 0n);
}

export interface CapabilityRequest {
  privileged: boolean;
  add: string[];
  drop: string[];
  addAmbient: string[];
  /** The daemon's own bounding set. */
  bounding: string[];
}

/**
 * The container's capability sets (CRI `Capability`: names with or without `CAP_`; `ALL` in either list). First `ALL`
 * of add, then `ALL` of drop, then single adds, then single drops, so that both {add: ALL, drop: CHOWN} and
 * {drop: ALL, add: CHOWN} mean what they say. Ambient capabilities are in all five sets; inheritable is empty
 * otherwise (CVE-2022-24769).
 *
 * `ALL`, privileged and the default set shrink to the daemon's bounding set, with a note. Throws `invalid` for an
 * unknown name and `permission` when a capability asked for by name is one that the daemon itself does not have.
 */
export function capabilities(request: CapabilityRequest, notes: string[]): OciCapabilities {
  const add = request.add.map(capabilityName);
  const drop = request.drop.map(capabilityName);
  const ambient = request.addAmbient.map(capabilityName);
  if (ambient.includes('ALL')) throw new Fault('invalid', 'ALL is not a name for an ambient capability');
  const everything = request.privileged || add.includes('ALL');
  let granted = new Set<string>(everything ? CAPABILITIES : DEFAULT_CAPABILITIES);
  if (!request.privileged && drop.includes('ALL')) granted = new Set();
  const wanted = [...granted].filter((name) => !request.bounding.includes(name));
  for (const name of wanted) granted.delete(name);
  if (wanted.length > 0)
    notes.push(`capabilities that the daemon does not have itself: ${wanted.join(', ')}`);
  if (!request.privileged) {
    for (const name of [...add, ...ambient]) {
      if (name === 'ALL') continue;
      if (!request.bounding.includes(name)) throw notOurs(name);
      granted.add(name);
    }
    for (const name of drop) granted.delete(name);
  }
  const names = CAPABILITIES.filter((name) => granted.has(name));
  const kept = CAPABILITIES.filter((name) => ambient.includes(name) && granted.has(name));
  return { bounding: names, effective: names, permitted: names, inheritable: kept, ambient: kept };
}

function capabilityName(given: string): string {
  const upper = given.toUpperCase();
  if (upper === 'ALL') return upper;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!CAPABILITIES.includes(name))
    throw new Fault('invalid', `There is no capability ${JSON.stringify(given)}`);
  return name;
}

function notOurs(name: string): Fault {
  return new Fault('permission', `The capability ${name} is not in the daemon's own bounding set`, {
    hint: 'start the daemon with it, or do not ask for it',
  });
}
