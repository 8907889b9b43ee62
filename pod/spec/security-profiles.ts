import { Fault } from '../../ground/fault.ts';
import type { ContainerSecurity, SeccompProfile } from '../config.ts';
import type { SpecInput } from './input.ts';
import type { OciSeccomp } from './oci-spec.ts';
import { defaultSeccompProfile } from './seccomp/default-profile.ts';

/**
 * The system call filter (CRI SecurityProfile). A privileged container has none, whatever it asks for, as with the
 * peers; no profile at all means unconfined (the kubelet always names one when it wants one).
 *
 * Throws `precondition` when a filter is asked for and the node cannot filter.
 */
export function seccompOf(input: SpecInput, granted: string[]): OciSeccomp | undefined {
  const { security } = input.container;
  const type = security.seccomp?.type ?? 'unconfined';
  if (security.privileged || type === 'unconfined') return undefined;
  if (!input.node.seccomp)
    throw new Fault(
      'precondition',
      `The seccomp profile ${type} cannot be applied: this node does not filter calls`,
    );
  switch (type) {
    case 'runtime-default':
      return defaultSeccompProfile(input.node.arch, granted);
    case 'localhost':
      if (input.localhostSeccomp === undefined)
        throw new Fault('internal', `The seccomp profile ${security.seccomp?.localhostRef} was not read`);
      return input.localhostSeccomp;
    default:
      return type satisfies never;
  }
}

/**
 * The AppArmor profile's name, when there is one to set. `runtime-default` and no profile are the same here: Berth
 * has no profile of its own. Throws `unimplemented` for a named profile on a kernel without AppArmor.
 */
export function apparmorOf(
  profile: SeccompProfile | undefined,
  privileged: boolean,
  available: boolean,
  notes: string[],
): string | undefined {
  if (profile === undefined || profile.type === 'unconfined' || privileged) return undefined;
  if (profile.type === 'runtime-default') {
    if (available)
      notes.push('AppArmor runtime-default: Berth has no profile of its own, the process is unconfined');
    return undefined;
  }
  if (!available)
    throw new Fault(
      'unimplemented',
      `The AppArmor profile ${profile.localhostRef} needs a kernel with AppArmor`,
    );
  return profile.localhostRef.replace(/^localhost\//, '');
}

/** Throws `unimplemented` when SELinux labels are asked for. */
export function refuseSelinux(security: Pick<ContainerSecurity, 'selinux'>): void {
  const label = security.selinux;
  if (label === undefined) return;
  if ([label.user, label.role, label.type, label.level].some((part) => part !== ''))
    throw new Fault('unimplemented', 'SELinux labels are not served');
}
